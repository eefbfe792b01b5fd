// diopter kernels: the hand-written kernels; their tests on every device and executor flavour; their times; how the
// convolutions are computed on GPUs.
#include <cstdio>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "engine/device.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "retinanet/config/backbone_names.h"
#include "retinanet/config/presets.h"
#include "tools/command/command.h"
#include "tools/kernels/bench.h"
#include "tools/kernels/check.h"
#include "tools/kernels/list.h"
#include "tools/kernels/plan_tables.h"
#include "tools/kernels/plans.h"

namespace diopter {

namespace {

struct KernelsRequest {
  std::string name, builds, device = "auto", json;
  BenchOptions options;
};

void list() {
  for (const KernelEntry& kernel : kernel_list()) {
    std::printf("%s\n  formula  %s\n  bytes    %s\n  files    %s.{h,cpp,cu}%s%s\n  tests    %s\n", kernel.name,
                kernel.formula, kernel.floor, kernel.files, *kernel.more ? " " : "", kernel.more, kernel.tests);
  }
  std::printf("\nbytes: what must at least be read and written; s is 4 (float) or 2 (bf16)\n");
}

void bench(const KernelsRequest& request) {
  std::vector<KernelEntry> chosen;
  for (const KernelEntry& kernel : kernel_list()) {
    if (request.name == "all" || &kernel == &kernel_named(request.name)) chosen.push_back(kernel);
  }
  for (const KernelEntry& kernel : chosen) check_size(kernel, request.options);
  const Device device = device_from_name(request.device);
  const char* device_name = device == Device::cpu ? "cpu" : kHasGpu ? "cuda" : "host executor";
  nlohmann::json rows = nlohmann::json::array();
  const auto add_row = [&](const std::string& kernel, const KernelTime& time) {
    rows.push_back({{"kernel", kernel},
                    {"device", device_name},
                    {"case", time.name},
                    {"microseconds", time.microseconds},
                    {"gb_per_s", time.gb_per_s()},
                    {"gflop_per_s", time.gflop_per_s()}});
  };

  const KernelTime copy = copy_time(device, request.options);
  std::printf("%s: a copy of %s moves %.1f GB/s (read and written)\n", device_name, copy.name.c_str(), copy.gb_per_s());
  std::printf(
      "wall-clock time of launches in a row that end with a copy to the host, a launch; median of repetitions\n\n");
  std::printf("%-20s %-40s %12s %8s %8s %9s\n", "kernel", "case", "microseconds", "GB/s", "of copy", "GFLOP/s");
  add_row("copy", copy);
  for (const KernelEntry& kernel : chosen) {
    for (const KernelTime& time : kernel_times(kernel, device, request.options)) {
      std::printf("%-20s %-40s %12.1f %8.1f %7.0f%%", kernel.name, time.name.c_str(), time.microseconds,
                  time.gb_per_s(), 100 * time.gb_per_s() / copy.gb_per_s());
      if (time.least.operations > 0) std::printf(" %9.1f", time.gflop_per_s());
      std::printf("\n");
      std::fflush(stdout);
      add_row(kernel.name, time);
    }
  }
  std::printf("\nGB/s: the bytes that must at least be moved, by the time (see diopter kernels list)\n");
  if (!request.json.empty()) write_file_atomically(request.json, json_text(rows, 1) + "\n");
}

struct PlansRequest {
  std::vector<std::string> gpus, presets;
  std::string backbone, csv, json;
  int classes = 80, images = 0;
};

/// The configurations that are asked for: presets with their own backbone, with one that is named, or with all.
std::vector<Config> configurations(const PlansRequest& request) {
  std::vector<Config> configs;
  for (const std::string& name : request.presets.empty() ? preset_names() : request.presets) {
    const Config config = preset(name);
    std::vector<std::string> backbones{request.backbone.empty() ? config.model.backbone : request.backbone};
    if (request.backbone == "all") backbones = backbone_names();
    for (const std::string& backbone : backbones) {
      configs.push_back(config);
      configs.back().model.backbone = backbone;
    }
  }
  return configs;
}

void plans(const PlansRequest& request) {
  std::set<cuda::Conv2dProblem> problems;
  for (const Config& config : configurations(request)) {
    std::vector<int> images{config.detect.batch_size, config.train.batch_size};
    if (request.images > 0) images = {request.images};
    for (const auto& problem : convolution_problems(config, request.classes, images)) problems.insert(problem);
  }
  const std::vector<cuda::Conv2dProblem> list(problems.begin(), problems.end());
  std::vector<PlanRow> all;
  for (const std::string& gpu : request.gpus.empty() ? gpu_names() : request.gpus) {
    const std::vector<PlanRow> rows = gpu == "here" ? plan_rows_here(list) : plan_rows(gpu, gpu_description(gpu), list);
    std::printf("%s%s\n%s", all.empty() ? "" : "\n", gpu.c_str(), plan_summary(rows).c_str());
    std::fflush(stdout);
    all.insert(all.end(), rows.begin(), rows.end());
  }
  if (!request.csv.empty()) write_file_atomically(request.csv, plan_csv(all));
  if (!request.json.empty()) write_file_atomically(request.json, plan_json(all));
}

}  // namespace

void add_kernels_command(Command& program) {
  Command command =
      program.subcommand("kernels", "Lists, checks and times the hand-written kernels",
                         "kernels list\n  diopter kernels check nms\n  diopter kernels bench classification_loss");
  command.require_subcommand();
  const auto request = std::make_shared<KernelsRequest>();

  command.subcommand("list", "Formula, least number of bytes, files and tests of each kernel", "kernels list")
      .action(list);

  Command check = command.subcommand(
      "check", "Runs a kernel's tests in every build folder there is",
      "kernels check nms\n\n"
      "Runs build/*/tests/kernels_tests; those of the host executor with threads in forward, reverse and shuffled\n"
      "order. The exit code is 1 when a run fails.");
  check.text("kernel", request->name, "Name of a kernel, see diopter kernels list").required().type("NAME");
  check.text("--builds", request->builds, "Folder of the build folders; by default that of this program").type("DIR");
  check.action([request] {
    const KernelEntry& kernel = kernel_named(request->name);
    const std::filesystem::path builds = request->builds.empty() ? build_folders().string() : request->builds;
    return check_kernel(kernel, builds) ? 0 : 1;
  });

  Command times = command.subcommand(
      "bench", "Times a kernel at several sizes",
      "kernels bench classification_loss --device cuda\n"
      "  diopter kernels bench nms --size boxes=20000,classes=1200\n\n"
      "Names that --size can have:\n" +
          describe_sizes() + "conv2d runs on all levels of the pyramid or, with map=M, on one map of M x M pixels.");
  times.text("kernel", request->name, "Name of a kernel, see diopter kernels list, or all").required().type("NAME");
  BenchOptions& options = request->options;
  times.flag("--quick", options.quick, "One tiny size, single launches: to see that it runs");
  times.text("--size", options.size, "This size instead of the usual ones; see below").type("NAME=N,...");
  times.choice("--type", options.type, {"f32", "bf16"}, "Only cases with this type: f32 or bf16").type("NAME");
  times.text("--case", options.part, "Only cases with this in their name").type("TEXT");
  times.number("--repetitions", options.repetitions, "Their median is shown").range(1, 1000).type("N");
  times.text("--save", options.save, "Write inputs and results of the one case to this safetensors file").type("OUT");
  times.text("--json", request->json, "Write the numbers to this file").type("OUT");
  add_device_option(times, request->device);
  add_thread_option(times);
  times.action([request] { bench(*request); });

  Command ask = command.subcommand(
      "plans", "Asks cuDNN how it computes every convolution on a GPU, which need not be here",
      "kernels plans --gpu h200 --preset paper\n"
      "  diopter kernels plans --backbone all --csv plans.csv\n\n"
      "Forward passes with their epilogues and both gradients, in float and bf16, for pictures of 4:3 at the sizes of\n"
      "the configurations. In a build with cuDNN (preset cuda).");
  const auto wanted = std::make_shared<PlansRequest>();
  std::string names = "here";
  for (const std::string& name : gpu_names()) names += ", " + name;
  ask.repeated("--gpu", wanted->gpus,
               "Name of a described GPU, a file of cuDNN's JSON, or here: " + names + "; all described ones by default")
      .type("NAME");
  ask.repeated("--preset", wanted->presets, "Convolutions of these presets; of all by default").type("NAME");
  ask.text("--backbone", wanted->backbone, "This backbone instead of the presets' own, or all").type("NAME");
  ask.number("--classes", wanted->classes, "Number of classes").positive();
  ask.number("--images", wanted->images, "Batch size; by default those of training and of detection").not_negative();
  ask.text("--csv", wanted->csv, "Write every plan to this file").type("OUT");
  ask.text("--json", wanted->json, "The same as JSON").type("OUT");
  ask.action([wanted] { plans(*wanted); });
}

}  // namespace diopter
