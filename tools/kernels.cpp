// diopter kernels: the hand-written kernels; their tests on every device and executor flavour; their times.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "engine/device.h"
#include "kernels/base/files.h"
#include "tools/command/command.h"
#include "tools/kernels/bench.h"
#include "tools/kernels/check.h"
#include "tools/kernels/list.h"

namespace diopter {

namespace {

struct Request {
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

void bench(const Request& request) {
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
  if (!request.json.empty()) write_file_atomically(request.json, rows.dump(1) + "\n");
}

}  // namespace

void add_kernels_command(Command& program) {
  Command command =
      program.subcommand("kernels", "Lists, checks and times the hand-written kernels",
                         "kernels list\n  diopter kernels check nms\n  diopter kernels bench classification_loss");
  command.require_subcommand();
  const auto request = std::make_shared<Request>();

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
}

}  // namespace diopter
