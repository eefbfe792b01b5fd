#include "kernels/device/timeline.h"

#include <algorithm>

#include "kernels/device/transfer.h"
#include "kernels/nn/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/device_buffer.h"

namespace diopter {
namespace {

using namespace test;

TEST_CASE("timeline: marks are numbered, and reached in their order, the device's work between them") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  constexpr std::int64_t kCount = 1'000'000;
  DeviceBuffer<float> x(device, std::vector<float>(kCount));
  const auto timeline = DIOPTER_DISPATCH(device, make_timeline);
  REQUIRE(timeline->marks().empty());
  CHECK(timeline->begin("outer") == 0);
  CHECK(timeline->begin("inner") == 1);
  for (int i = 0; i < 10; ++i) DIOPTER_DISPATCH(device, fill, kCount, 1.0f, x.data());
  CHECK(timeline->end() == 2);
  CHECK(timeline->end() == 3);
  const std::vector<Timeline::Mark> marks = timeline->marks();
  REQUIRE(marks.size() == 4);
  CHECK(marks[0].microseconds == 0);
  CHECK(std::is_sorted(marks.begin(), marks.end(),
                       [](const auto& a, const auto& b) { return a.microseconds < b.microseconds; }));
  CHECK(marks[2].microseconds > marks[1].microseconds + 1);  // 40 MB in a microsecond: nothing writes so fast
  for (const Timeline::Mark& mark : marks) CHECK(mark.lane == 0);
}

TEST_CASE("timeline: a lane for each stream") {
  if (!has_cuda()) {
    skip("the build has no cuda device");
    return;
  }
  const auto timeline = DIOPTER_DISPATCH(Device::cuda, make_timeline);
  const auto side = DIOPTER_DISPATCH(Device::cuda, make_side_stream);
  timeline->begin("here");
  side.run([&] {
    timeline->begin("beside");
    timeline->end();
  });
  timeline->end();
  const std::vector<Timeline::Mark> marks = timeline->marks();
  REQUIRE(marks.size() == 4);
  CHECK(marks[0].lane == 0);
  CHECK(marks[1].lane == 1);
  CHECK(marks[2].lane == 1);
  CHECK(marks[3].lane == 0);
}

}  // namespace
}  // namespace diopter
