#include "tools/command/command.h"

#include <cstdio>

#include "kernels/base/parallel.h"
#include "kernels/nn/conv2d/conv2d.h"

namespace diopter {

CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& example) {
  CLI::App& command = *app.add_subcommand(name, description);
  command.option_defaults()->always_capture_default();
  command.footer("Example:\n  diopter " + example);
  return command;
}

void add_device_option(CLI::App& command, std::string& device) {
  command.add_option("--device", device, "Where to compute: cpu, cuda, or auto (a GPU where there is one)")->type_name("NAME");
  command.add_flag_callback("--exact", [] { cpu::allow_winograd(false); },
                            "On the CPU no Winograd convolutions: slower, errors of 1e-6 instead of 1e-5");
}

void add_precision_option(CLI::App& command, std::string& precision) {
  command.add_option("--precision", precision, "float, or bf16 (fast on a GPU); by default the model's detect.precision")
      ->check(CLI::IsMember({"float", "bf16"}).description(""))
      ->type_name("NAME");
}

void add_thread_option(CLI::App& command) {
  command.add_option_function<int>("--threads", set_thread_count, "Threads for the arithmetic; all processors by default")
      ->type_name("N");
}

void print_warnings(const std::vector<std::string>& warnings) {
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < warnings.size() && i < kShown; ++i) {
    std::fprintf(stderr, "diopter: warning: %s\n", warnings[i].c_str());
  }
  if (warnings.size() > kShown) {
    std::fprintf(stderr, "diopter: warning: %zu more like these\n", warnings.size() - kShown);
  }
}

}  // namespace diopter
