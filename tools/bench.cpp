// diopter bench: how long a training step, an inference, post-processing or loading takes with a configuration.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "data/readers/read_dataset.h"
#include "data/shapes.h"
#include "engine/device.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/parallel.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "tools/bench/network_bench.h"
#include "tools/bench/overhead_bench.h"
#include "tools/command/command.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

struct BenchRequest {
  std::string what, device = "auto", preset = "small", annotations, images, json, save;
  std::vector<std::string> settings;
  int size = 256, batch = 2, classes = 3, warm_up = 2, repetitions = 10;
};

/// A new folder under the system's temporary folder, removed with all it holds.
class TemporaryFolder {
 public:
  TemporaryFolder() : path_((fs::temp_directory_path() / "diopter-bench-XXXXXX").string()) {
    DIOPTER_CHECK(mkdtemp(path_.data()), path_, ": cannot be made");
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// The preset with pictures of the wanted size and without what is not part of a step.
Config config_of(const BenchRequest& request) {
  Config config = preset(request.preset);
  config.input.min_sizes = {request.size};
  config.input.max_size = request.size;
  config.train.batch_size = request.batch;
  config.train.iterations = request.warm_up + request.repetitions;
  config.train.log_every = config.train.save_every = config.train.evaluate_every = 0;
  apply_settings(config, parse_settings(request.settings));
  check_config(config);
  return config;
}

/// As many pictures as a batch with 7 objects each, unless data are named. Further classes are added to those of the
/// data.
Dataset data_of(const BenchRequest& request, const TemporaryFolder& folder) {
  std::string annotations = request.annotations, images = request.images;
  if (annotations.empty()) {
    ShapesOptions shapes;
    shapes.size = request.size;
    shapes.min_objects = shapes.max_objects = 7;
    shapes.min_object_size = std::max(0.08f, 3.0f / static_cast<float>(request.size));
    shapes.max_object_size = 0.3f;
    shapes.empty = 0;
    write_shapes(folder / "data", request.batch, 0, shapes);
    annotations = folder / "data/instances_train.json";
    images = folder / "data/images";
  }
  Dataset data = read_dataset("", annotations, {.images = images});
  print_warnings(data.warnings);
  DIOPTER_CHECK(!data.images.empty(), annotations, ": no pictures");
  std::int64_t last_id = data.categories.empty() ? 0 : data.categories.back().id;
  while (static_cast<int>(data.categories.size()) < request.classes) {
    ++last_id;
    data.categories.push_back({last_id, "class " + std::to_string(last_id)});
  }
  return data;
}

void run(const BenchRequest& request, NetworkTimes (*measure)(const NetworkBench&), const char* unit) {
  const TemporaryFolder folder;
  const Device device = device_from_name(request.device);
  const NetworkBench bench{.config = config_of(request),
                           .data = data_of(request, folder),
                           .batch = request.batch,
                           .side = request.size,
                           .warm_up = request.warm_up,
                           .repetitions = request.repetitions,
                           .device = device,
                           .folder = folder / "run",
                           .save = request.save};
  const NetworkTimes times = measure(bench);
  std::vector<double> sorted = times.milliseconds;
  std::sort(sorted.begin(), sorted.end());
  const double median = sorted[sorted.size() / 2], images_per_second = 1000 * request.batch / median;
  const char* device_name = device == Device::cpu ? "cpu" : "cuda";
  std::printf("%s, %s, %d x %d^2, %zu classes, %s, %d threads\n", request.what.c_str(),
              bench.config.model.backbone.c_str(), request.batch, request.size, bench.data.categories.size(),
              device_name, thread_count());
  std::printf("%.2f ms a %s (median of %zu, %.2f to %.2f), %.1f images/s, %.0f MiB at most\n", median, unit,
              sorted.size(), sorted.front(), sorted.back(), images_per_second, times.peak_memory_mib);
  if (request.json.empty()) return;
  const nlohmann::ordered_json result{{"what", request.what},
                                      {"backbone", bench.config.model.backbone},
                                      {"size", request.size},
                                      {"batch", request.batch},
                                      {"classes", bench.data.categories.size()},
                                      {"device", device_name},
                                      {"threads", thread_count()},
                                      {"milliseconds", times.milliseconds},
                                      {"median_ms", median},
                                      {"images_per_second", images_per_second},
                                      {"peak_memory_mib", times.peak_memory_mib},
                                      {"values", times.values}};
  write_file_atomically(request.json, json_text(result, 1) + "\n");
}

void add_kind(Command& command, const std::string& name, const std::string& description, const char* unit,
              NetworkTimes (*measure)(const NetworkBench&), const std::shared_ptr<BenchRequest>& request) {
  Command kind = command.subcommand(
      name, description, "bench " + name + " --preset torchvision --set model.backbone=resnet18 --size 256 --batch 2");
  kind.text("--preset", request->preset, "Configuration to start from").type("NAME");
  kind.repeated("--set", request->settings, "Overrides one key, may be repeated").type("KEY=VALUE");
  kind.number("--size", request->size, "Width and height of the network's input, in pixels").range(16, 8192).type("N");
  kind.number("--batch", request->batch, "Pictures a batch").range(1, 1024).type("N");
  kind.number("--classes", request->classes, "At least so many: further ones are added to those of the data")
      .range(1, 100'000)
      .type("N");
  kind.text("--annotations", request->annotations, "Data, as for diopter train; synthetic pictures by default")
      .type("FILE");
  kind.text("--images", request->images, "Folder of the pictures").type("DIR");
  kind.number("--warm-up", request->warm_up, "Repetitions that do not count").range(0, 1000).type("N");
  kind.number("--repetitions", request->repetitions, "Their median is shown").range(1, 100'000).type("N");
  kind.text("--json", request->json, "Write the numbers to this file").type("OUT");
  if (name == "postprocess") {
    kind.text("--save", request->save, "Write head outputs and detections to this safetensors file").type("OUT");
  }
  add_device_option(kind, request->device);
  add_thread_option(kind);
  kind.action([=] {
    request->what = name;
    run(*request, measure, unit);
  });
}

void print_overhead(const BenchRequest& request) {
  const std::vector<OverheadTimes> all = bench_overhead(device_from_name(request.device), request.repetitions);
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::printf("%-12s %10s %10s   microseconds an operation on 8 values\n", "operation", "forward", "training");
  for (const OverheadTimes& times : all) {
    std::printf("%-12s %10.2f %10.2f\n", times.operation.c_str(), times.forward, times.training);
    rows.push_back({{"operation", times.operation}, {"forward_us", times.forward}, {"training_us", times.training}});
  }
  if (!request.json.empty()) write_file_atomically(request.json, json_text(rows, 1) + "\n");
}

void add_overhead(Command& command) {
  Command kind = command.subcommand("overhead", "What the engine costs an operation: operations on next to no data",
                                    "bench overhead --threads 1");
  const auto request = std::make_shared<BenchRequest>();
  request->repetitions = 51;
  kind.number("--repetitions", request->repetitions, "Their median is shown").range(1, 100'000).type("N");
  kind.text("--json", request->json, "Write the numbers to this file").type("OUT");
  add_device_option(kind, request->device);
  add_thread_option(kind);
  kind.action([=] { print_overhead(*request); });
}

}  // namespace

void add_bench_command(Command& program) {
  Command command =
      program.subcommand("bench", "Times training steps, inference, post-processing and data loading",
                         "bench step --preset torchvision --size 512 --batch 2 --threads 2\n\n"
                         "The weights of model.weights, else random ones, and synthetic pictures with 7 objects each.\n"
                         "tools/peers/peers.py compares the times with those of PyTorch and torchvision.");
  command.require_subcommand();
  const auto request = std::make_shared<BenchRequest>();
  add_kind(command, "step", "A training step: batch, forward, losses, backward, SGD", "step", bench_step, request);
  add_kind(command, "inference", "From decoded pictures in memory to detections", "batch", bench_inference, request);
  add_kind(command, "postprocess", "From random head outputs to detections", "batch", bench_postprocess, request);
  add_kind(command, "loading", "Batches from picture files: decode, augment, normalise", "batch", bench_loading,
           request);
  add_overhead(command);
}

}  // namespace diopter
