#include "tools/kernel_bench.h"

#include <algorithm>
#include <chrono>

#include "kernels/nn/conv2d.h"
#include "tools/kernel_cases.h"

namespace diopter {

namespace {

double microseconds_of(int launches, const KernelCase& one, const Tensor& on_device) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < launches; ++i) one.launch();
  on_device.item();  // behind the launches on the same stream: waits for them
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / launches;
}

/// Calls it once, as a warm-up and for the floor of what it calls.
Floor floor_of(const KernelCase& one, Device device) {
  const Profiler profiler(device);
  one.launch();
  Floor floor;
  for (const ProfiledRange& range : profiler.profile().ranges) {
    floor.bytes += range.floor.bytes;
    floor.operations += range.floor.operations;
  }
  return floor;
}

std::vector<KernelTime> timed(const std::vector<KernelCase>& cases, Device device, bool quick) {
  const double wanted = 20'000;  // microseconds a repetition, so that neither clock nor waiting counts
  const int repetitions = quick ? 3 : 11;
  const Tensor on_device = Tensor::zeros({1}, DType::f32, device);
  std::vector<int> launches;
  std::vector<KernelTime> result;
  for (const KernelCase& one : cases) {
    result.push_back({one.name, floor_of(one, device), 0});
    const double once = microseconds_of(1, one, on_device);
    launches.push_back(quick ? 1 : static_cast<int>(std::clamp(wanted / once, 1.0, 1000.0)));
  }
  std::vector<std::vector<double>> measured(cases.size());
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      measured[i].push_back(microseconds_of(launches[i], cases[i], on_device));
    }
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::nth_element(measured[i].begin(), measured[i].begin() + repetitions / 2, measured[i].end());
    result[i].microseconds = measured[i][repetitions / 2];
  }
  return result;
}

KernelCase copy_case(Device device, std::int64_t mib) {
  const Tensor from = Tensor::zeros({mib << 18}, DType::f32, device), to = from.clone();
  return {std::to_string(mib) + " MiB", [=] { to.copy_from(from); }};
}

}  // namespace

std::vector<BatchSize> batch_sizes(Device device, bool quick) {
  if (quick) return {{1, 64}};
  if (device == Device::cpu || !kHasGpu) return {{1, 256}, {1, 512}, {2, 800}};
  return {{1, 512}, {1, 800}, {8, 800}};
}

KernelTime copy_time(Device device, bool quick) { return timed({copy_case(device, quick ? 1 : 256)}, device, quick).front(); }

Roof measured_roof(Device device) {
  const Conv2dShape shape{.in = Levels({1, 128, 64}), .in_channels = 512, .out_channels = 512, .kernel = 1};
  const Tensor x = Tensor::full({shape.in.rows(), 512}, 1, device), w = Tensor::full({512, 1, 1, 512}, 1, device),
               y = x.clone();
  const Conv2dForwardArgs<float> args{.shape = shape, .x = x.data<float>(), .w = w.data<float>(), .y = y.data<float>()};
  const KernelCase product{"product of matrices", [=] { DIOPTER_DISPATCH(device, conv2d_forward, args); }, {x, w, y}};
  const std::vector<KernelTime> times = timed({copy_case(device, device == Device::cpu ? 64 : 256), product}, device, false);
  return {times[0].floor.bytes / times[0].microseconds, times[1].floor.operations / times[1].microseconds};
}

std::vector<KernelTime> kernel_times(const KernelEntry& kernel, Device device, bool quick) {
  std::vector<KernelCase> cases = detection_cases(kernel.name, device, quick);
  for (KernelCase& one : nn_cases(kernel.name, device, quick)) cases.push_back(std::move(one));
  DIOPTER_CHECK(!cases.empty(), "there is no benchmark of ", kernel.name);
  return timed(cases, device, quick);
}

}  // namespace diopter
