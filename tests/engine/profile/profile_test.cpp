#include "engine/profile/profile.h"

#include <map>
#include <sstream>
#include <tuple>

#include "engine/module.h"
#include "engine/profile/profile_report.h"
#include "kernels/base/json.h"
#include "kernels/nn/conv2d/conv2d.h"
#include "kernels/nn/sgd.h"
#include "kernels/toolkit/dispatch.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;
using Kind = ProfiledRange::Kind;

/// Two convolutions with a sum behind them: relu(first(x)) + second(x).
struct Net : Module {
  explicit Net(Device device) : random(1), first(4, 4, {}, random), second(4, 4, {.bias = false}, random) {
    add_module("first", first);
    add_module("second", second);
    name_parameters();
    move_to(device);
  }
  Variable operator()(const Variable& x) const { return add(first.relu(x), second(x)); }

  InitRandom random;
  Conv2d first, second;
};

/// Steps forward and back; the gradients that came of them.
std::vector<std::vector<float>> steps(const Net& net, Device device, int count) {
  const Variable x(random_tensor({2, 8, 8, 4}, 3, device));
  for (int i = 0; i < count; ++i) {
    const ProfiledScope step("step");  // phases are named by hand; kernels and backward passes come by themselves
    Tape tape;
    const Variable loss = [&] {
      const ProfiledScope forward("forward");
      return sum(net(x));
    }();
    tape.backward({loss});
  }
  std::vector<std::vector<float>> gradients;
  for (const NamedParameter& p : net.parameters()) {
    gradients.push_back(p.variable.gradient()->tensor().to_vector<float>());
    p.variable.gradient()->clear();
  }
  return gradients;
}

std::vector<std::vector<std::string>> csv_lines(const std::string& csv) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream in(csv);
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    lines.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) lines.back().push_back(field);
  }
  return lines;
}

TEST_CASE("profile: every kernel, with its phase, parameter and count") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const Net net(device);
  const Profiler profiler(device);  // measures its thread while it lives
  steps(net, device, 3);
  const Profile profile = profiler.profile();

  std::map<std::tuple<std::string, std::string, std::string>, std::string> counts;
  const auto lines = csv_lines(profile_csv(profile, {1e3, 1e5}));
  REQUIRE(lines[0] == std::vector<std::string>{"part", "phase", "kernel", "parameter", "count", "microseconds", "bytes",
                                               "operations", "share_of_roof"});
  for (std::size_t i = 1; i < lines.size(); ++i) {
    REQUIRE(lines[i].size() == 9);
    if (lines[i][0] == "step") counts[{lines[i][1], lines[i][2], lines[i][3]}] = lines[i][4];
  }
  const std::map<std::tuple<std::string, std::string, std::string>, std::string> expected{
      {{"forward", "conv2d_forward", "first.weight"}, "3"},
      {{"forward", "conv2d_forward", "second.weight"}, "3"},
      {{"forward", "add", ""}, "3"},
      {{"forward", "sum", ""}, "3"},
      {{"backward", "fill", ""}, "3"},
      {{"backward", "conv2d_epilogue_backward", "first.weight"}, "3"},
      {{"backward", "conv2d_backward_weight", "first.weight"}, "3"},
      {{"backward", "conv2d_backward_weight", "second.weight"}, "3"},
      // From the second step on, the gradients of two weights and a bias are added to what is there.
      {{"backward", "add", "first.weight"}, "4"},
      {{"backward", "add", "second.weight"}, "2"},
      {{"step", "fill", ""}, "3"}};  // the gradient of the sum: one
  std::map<std::tuple<std::string, std::string, std::string>, std::string> found = counts;
  found.erase({"backward", "copy_to_host", ""});  // sum's backward pass reads it
  CHECK(found == expected);

  const std::string table = profile_table(profile, {1e3, 1e5});  // bandwidth and arithmetic of the device
  INFO(table);
  CHECK(contains(table, "roof: 1.0 GB/s (copy in memory), 100.0 GFLOP/s (product of matrices)\n"));
  CHECK(contains(table, "\nstep, 3 times: "));
  for (const auto& [key, count] : expected) {
    CHECK(contains(table, "  " + std::get<0>(key) + ": " + std::get<1>(key) + "\n"));
  }
  CHECK(contains(table, "  backward: conv2d_backward_weight, first.weight\n"));
}

TEST_CASE("profile: ranges lie in their parents, on each stream and for the host") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const Net net(device);
  const Profiler profiler(device);
  steps(net, device, 2);
  const Profile profile = profiler.profile();
  int inner = 0;
  for (const ProfiledRange& range : profile.ranges) {
    INFO(range.name);
    REQUIRE(range.begin <= range.end);
    REQUIRE(range.host_begin <= range.host_end);
    if (range.parent < 0) continue;
    const ProfiledRange& parent = profile.ranges[range.parent];
    CHECK(parent.kind != Kind::kernel);
    CHECK(parent.begin <= range.begin);
    CHECK(range.end <= parent.end);
    CHECK(parent.host_begin <= range.host_begin);
    CHECK(range.host_end <= parent.host_end);
    ++inner;
  }
  CHECK(inner > 20);

  const auto trace = parse_json(profile_trace(profile));
  CHECK(trace["displayTimeUnit"] == "ms");
  std::size_t complete = 0;
  std::map<int, std::vector<double>> open;  // ends of the ranges that have not ended, by row
  std::map<int, std::string> rows;
  for (const auto& event : trace["traceEvents"]) {
    const int row = event["tid"];
    if (event["ph"] == "M") {
      rows[row] = event["args"]["name"];
      continue;
    }
    REQUIRE(event["ph"] == "X");
    ++complete;
    const double begin = event["ts"], end = begin + event["dur"].get<double>();
    std::vector<double>& around = open[row];
    while (!around.empty() && around.back() <= begin) around.pop_back();
    CHECK((around.empty() || end <= around.back() + 1e-3));
    around.push_back(end);
    if (event["name"] == "conv2d_forward") {
      CHECK(event["cat"] == "kernel");
      CHECK(contains(event["args"]["parameter"].get<std::string>(), ".weight"));
      CHECK(event["args"]["operations"] == 2.0 * 2 * 64 * 9 * 4 * 4);
    }
  }
  const bool cpu = device == Device::cpu;
  CHECK(complete == profile.ranges.size() * (cpu ? 1 : 2));
  CHECK(rows ==
        (cpu ? std::map<int, std::string>{{1, "cpu"}} : std::map<int, std::string>{{0, "host"}, {1, "stream 0"}}));
}

TEST_CASE("profile: changes no bit, and nothing is measured without a profiler") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const Net net(device);
  const auto plain = steps(net, device, 2);
  const Profiler outer(device);
  {
    const Profiler inner(device);
    CHECK(steps(net, device, 2) == plain);
    CHECK_FALSE(inner.profile().ranges.empty());
  }
  CHECK(outer.profile().ranges.empty());  // the inner one was told
  steps(net, device, 1);
  CHECK_FALSE(outer.profile().ranges.empty());
  const ProfiledScope open("open");
  CHECK(error_of([&] { outer.profile(); }) == "a profile while open runs");
}

TEST_CASE("profile: memory of phases, at most and afterwards") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  constexpr std::int64_t kFloats = 1 << 16;
  constexpr std::size_t kBytes = kFloats * sizeof(float);
  const Profiler profiler(device);
  Tensor kept;
  std::size_t before = 0;
  {
    const ProfiledScope outer("outer");
    before = DIOPTER_DISPATCH(device, allocated_bytes);
    {
      const ProfiledScope inner("inner");
      const Tensor a = Tensor::zeros({kFloats}, DType::f32, device), b = a.clone();
      kept = Tensor::zeros({kFloats}, DType::f32, device);
    }
    const ProfiledScope after("after");
    const Tensor c = kept.clone();
  }
  const Profile profile = profiler.profile();
  const auto phase = [&](const std::string& name) {
    for (const ProfiledRange& range : profile.ranges) {
      if (range.name == name) return range;
    }
    return ProfiledRange{};
  };
  CHECK(phase("inner").peak_bytes == before + 3 * kBytes);
  CHECK(phase("inner").bytes_after == before + kBytes);
  CHECK(phase("after").peak_bytes == before + 2 * kBytes);
  CHECK(phase("outer").peak_bytes == before + 3 * kBytes);
  CHECK(phase("outer").bytes_after == before + kBytes);
}

TEST_CASE("profile: the roof is whatever takes longer, bytes or operations") {
  const Roof roof{2, 10};
  CHECK(roof.microseconds({.bytes = 10, .operations = 20}) == 5);
  CHECK(roof.microseconds({.bytes = 10, .operations = 80}) == 8);
  CHECK(Roof{}.microseconds({.bytes = 10, .operations = 80}) == 0);
}

TEST_CASE("profile: floors of convolutions and of the optimizer") {
  const Conv2dShape same{Levels({2, 6, 5}), 3, 7, 3, 1, 1}, strided{Levels({1, 8, 8}), 3, 7, 1, 2, 0};
  const LeastWork forward =
      least_work::conv2d_forward(Conv2dForwardArgs<float>{.shape = same, .x = nullptr, .w = nullptr, .y = nullptr});
  CHECK(forward.bytes == 4 * (60 * 3 + 60 * 7 + 7 * 9 * 3));
  CHECK(forward.operations == 2 * 60 * 7 * 9 * 3);
  const bf16* none = nullptr;
  float* dw = nullptr;
  CHECK(least_work::conv2d_backward_weight(same, none, none, dw).bytes == 2 * (60 * 3 + 60 * 7) + 4 * 7 * 9 * 3);
  CHECK(least_work::conv2d_backward_data(strided, none, none, none).bytes == 2 * (16 * 3 + 16 * 7 + 7 * 3));
  const float residual = 0;
  const Conv2dForwardArgs<float> added{
      .shape = same, .x = nullptr, .w = nullptr, .y = nullptr, .epilogue = {.residual = &residual}};
  CHECK(least_work::conv2d_forward(added).bytes == forward.bytes + 4 * 60 * 7);
  SgdArgs sgd{};
  sgd.values = 100;
  CHECK(least_work::sgd_step(sgd).bytes == 2000);
}

}  // namespace
}  // namespace diopter
