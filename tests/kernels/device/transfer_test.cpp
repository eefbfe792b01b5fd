#include "kernels/device/transfer.h"

#include <cstring>
#include <numeric>

#include "kernels/nn/elementwise.h"
#include "tests/support/catch.h"
#include "tests/support/device_buffer.h"

namespace diopter {
namespace {

using namespace test;

std::vector<float> counting(std::size_t n, float from) {
  std::vector<float> values(n);
  std::iota(values.begin(), values.end(), from);
  return values;
}

TEST_CASE("transfer: a host buffer goes to the device and comes back, in the order of the computation") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  constexpr std::size_t kCount = 1000, kBytes = kCount * sizeof(float);
  const std::vector<float> first = counting(kCount, 0), second = counting(kCount, 5000);
  const auto up = DIOPTER_DISPATCH(device, make_pinned_buffer, 2 * kBytes);
  const auto down = DIOPTER_DISPATCH(device, make_pinned_buffer, kBytes);
  CHECK(up->bytes() == 2 * kBytes);
  DeviceBuffer<float> a(device, std::vector<float>(kCount)), b(device, std::vector<float>(kCount));
  for (int round = 0; round < 2; ++round) {  // data() waits until the copies of the round before are done
    std::memcpy(up->data(), first.data(), kBytes);
    std::memcpy(static_cast<char*>(up->data()) + kBytes, second.data(), kBytes);
    up->upload(a.data(), 0, kBytes);
    up->upload(b.data(), kBytes, kBytes);
    DIOPTER_DISPATCH(device, add, std::int64_t{kCount}, a.data(), b.data(), a.data());
    down->download(a.data(), kBytes);
    const float* sum = static_cast<const float*>(down->data());
    for (std::size_t i = 0; i < kCount; ++i) REQUIRE(sum[i] == 5000 + 2 * static_cast<float>(i));
  }
}

TEST_CASE("transfer: work beside the computation is waited for by join") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  constexpr std::int64_t kCount = 100000;
  const auto side = DIOPTER_DISPATCH(device, make_side_stream);
  DeviceBuffer<float> x(device, std::vector<float>(kCount));
  side.join();                                        // nothing was queued yet
  CHECK(x.download() == std::vector<float>(kCount));  // side work does not wait for what was queued before: this does
  for (float value : {1.0f, 2.0f}) {
    side.run([&] { DIOPTER_DISPATCH(device, fill, kCount, value, x.data()); });
    side.join();
    CHECK(x.download() == std::vector<float>(kCount, value));
  }
}

}  // namespace
}  // namespace diopter
