#include "tools/kernels/bench.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "engine/files/checkpoint.h"
#include "engine/profile/profile.h"
#include "kernels/base/did_you_mean.h"
#include "kernels/nn/conv2d/conv2d.h"
#include "tools/kernels/cases.h"

namespace diopter {

namespace {

using Cases = std::vector<KernelCase>;

double microseconds_of(int launches, const KernelCase& one, const Tensor& on_device) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < launches; ++i) one.launch();
  on_device.item();  // behind the launches on the same stream: waits for them
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / launches;
}

/// Calls it once, as a warm-up and for the floor of what it calls.
LeastWork floor_of(const KernelCase& one, Device device) {
  const Profiler profiler(device);
  one.launch();
  LeastWork least;
  for (const ProfiledRange& range : profiler.profile().ranges) {
    least.bytes += range.least.bytes;
    least.operations += range.least.operations;
  }
  return least;
}

std::vector<KernelTime> timed(const Cases& cases, Device device, const BenchOptions& options) {
  const double wanted = 20'000;  // microseconds a repetition, so that neither clock nor waiting counts
  const Tensor on_device = Tensor::zeros({1}, DType::f32, device);
  std::vector<int> launches;
  std::vector<KernelTime> result;
  for (const KernelCase& one : cases) {
    result.push_back({one.name, floor_of(one, device), 0});
    const double once = microseconds_of(1, one, on_device);
    launches.push_back(options.quick ? 1 : static_cast<int>(std::clamp(wanted / once, 1.0, 1000.0)));
  }
  std::vector<std::vector<double>> measured(cases.size());
  for (int repetition = 0; repetition < options.repetitions; ++repetition) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      measured[i].push_back(microseconds_of(launches[i], cases[i], on_device));
    }
  }
  for (std::size_t i = 0; i < cases.size(); ++i) {
    const auto median = measured[i].begin() + options.repetitions / 2;
    std::nth_element(measured[i].begin(), median, measured[i].end());
    result[i].microseconds = *median;
  }
  return result;
}

KernelCase copy_case(Device device, std::int64_t mib) {
  const Tensor from = Tensor::zeros({mib << 18}, DType::f32, device), to = from.clone();
  return {std::to_string(mib) + " MiB", [=] { to.copy_from(from); }};
}

/// Names that a size can have besides images and side.
const std::map<std::string, std::vector<std::string>>& size_names() {
  static const std::map<std::string, std::vector<std::string>> names{
      {"classification_loss", {"classes", "boxes"}},
      {"match", {"boxes"}},
      {"nms", {"boxes", "classes", "kept"}},
      {"top_k", {"classes"}},
      {"conv2d", {"in", "out", "kernel", "stride", "map"}},
      {"sgd", {"thousand"}},
      {"adamw", {"thousand"}}};
  return names;
}

CaseSize parse_size(const std::string& kernel, const std::string& text) {
  std::vector<std::string> known{"images", "side"};
  if (const auto more = size_names().find(kernel); more != size_names().end()) {
    known.insert(known.end(), more->second.begin(), more->second.end());
  }
  CaseSize size{1, 512};
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size()), equals = std::min(text.find('=', begin), end);
    const std::string name = text.substr(begin, equals - begin);
    DIOPTER_CHECK(std::find(known.begin(), known.end(), name) != known.end(), "--size: ", kernel, " has no size '",
                  name, "'", hint_with_list(name, known));
    int value = 0;
    const char* last = text.data() + end;
    const auto read = std::from_chars(text.data() + std::min(equals + 1, end), last, value);
    DIOPTER_CHECK(read.ec == std::errc() && read.ptr == last && value >= 1, "--size: ", name,
                  " needs a whole number of at least 1");
    (name == "images" ? size.images : name == "side" ? size.side : size.others[name]) = value;
    begin = end + 1;
  }
  return size;
}

std::vector<CaseSize> usual_sizes(const std::string& kernel, Device device, bool quick) {
  if (kernel == "nms") {
    if (quick) return {{1, 0, {{"boxes", 50}}}};
    return {{1, 0, {{"boxes", 1000}}}, {1, 0, {{"boxes", 5000}}}, {8, 0, {{"boxes", 1000}}}, {8, 0, {{"boxes", 5000}}}};
  }
  if (kernel == "sgd" || kernel == "adamw") {
    if (quick) return {{0, 0, {{"thousand", 200}}}};
    return {{0, 0, {{"thousand", 1'000}}}, {0, 0, {{"thousand", 38'000}}}};
  }
  if (quick && kernel == "conv2d") return {{1, 64, {{"in", 16}}}};
  if (quick) return {{1, 64}};
  if (device == Device::cpu || !kHasGpu) return {{1, 256}, {1, 512}, {2, 800}};
  return {{1, 512}, {1, 800}, {8, 800}};
}

Cases cases_of(const std::string& kernel, Device device, const BenchOptions& options) {
  const bool detection = detection_cases().count(kernel) > 0;
  DIOPTER_CHECK(detection || nn_cases().count(kernel) > 0, "there is no benchmark of ", kernel);
  const std::vector<CaseMaker>& makers = detection ? detection_cases().at(kernel) : nn_cases().at(kernel);
  Cases cases;
  const std::vector<CaseSize> sizes =
      options.size.empty() ? usual_sizes(kernel, device, options.quick) : std::vector{parse_size(kernel, options.size)};
  for (const CaseSize& size : sizes) {
    for (const CaseMaker& maker : makers) {
      if (options.type.empty() || options.type == name_of(maker.type)) maker.add(cases, device, size);
    }
  }
  std::erase_if(cases, [&](const KernelCase& one) { return one.name.find(options.part) == std::string::npos; });
  DIOPTER_CHECK(!cases.empty(), "no case of ", kernel, " is left");
  return cases;
}

}  // namespace

int CaseSize::get(const std::string& name, int otherwise) const {
  const auto found = others.find(name);
  return found == others.end() ? otherwise : found->second;
}

void check_size(const KernelEntry& kernel, const BenchOptions& options) { parse_size(kernel.name, options.size); }

KernelTime copy_time(Device device, const BenchOptions& options) {
  return timed({copy_case(device, options.quick ? 1 : 256)}, device, options).front();
}

Roof measured_roof(Device device) {
  const Conv2dShape shape{.in = Levels({1, 128, 64}), .in_channels = 512, .out_channels = 512, .kernel = 1};
  const Tensor x = Tensor::full({shape.in.rows(), 512}, 1, device), w = Tensor::full({512, 1, 1, 512}, 1, device),
               y = x.clone();
  const Conv2dForwardArgs<float> args{.shape = shape, .x = x.data<float>(), .w = w.data<float>(), .y = y.data<float>()};
  const KernelCase product{"product of matrices", [=] { DIOPTER_DISPATCH(device, conv2d_forward, args); }, {x, w, y}};
  const std::vector<KernelTime> times =
      timed({copy_case(device, device == Device::cpu ? 64 : 256), product}, device, {});
  return {times[0].least.bytes / times[0].microseconds, times[1].least.operations / times[1].microseconds};
}

std::vector<KernelTime> kernel_times(const KernelEntry& kernel, Device device, const BenchOptions& options) {
  const Cases cases = cases_of(kernel.name, device, options);
  const std::vector<KernelTime> times = timed(cases, device, options);
  if (!options.save.empty()) {
    DIOPTER_CHECK(cases.size() == 1, "--save is for one case, not ", cases.size(),
                  ": choose with --size, --type, --case");
    Checkpoint file;
    file.tensors = cases.front().tensors;
    for (const auto& [name, tensor] : file.tensors) tensor.move_to(Device::cpu);
    DIOPTER_CHECK(!file.tensors.empty(), "--save: ", kernel.name, " keeps no inputs and results");
    save_checkpoint(options.save, file);
  }
  return times;
}

std::string describe_sizes() {
  std::string text = "  images, side (all kernels; pictures are square)\n";
  for (const auto& [kernel, names] : size_names()) {
    text += "  " + kernel + ":";
    for (const std::string& name : names) text += " " + name;
    text += "\n";
  }
  return text;
}

}  // namespace diopter
