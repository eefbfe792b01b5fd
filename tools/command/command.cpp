#include "tools/command/command.h"

#include <cstdio>

#include "kernels/base/parallel.h"
#include "kernels/base/text.h"
#include "kernels/nn/conv2d/conv2d.h"

namespace diopter {

void add_device_option(Command& command, std::string& device) {
  command.text("--device", device, "Where to compute: cpu, cuda, or auto (a GPU where there is one)").type("NAME");
  command.flag(
      "--exact", [] { cpu::allow_winograd(false); },
      "On the CPU no Winograd convolutions: slower, errors of 1e-6 instead of 1e-5");
}

void add_precision_option(Command& command, std::string& precision) {
  command
      .choice("--precision", precision, {"float", "bf16"},
              "float, or bf16 (fast on a GPU); by default the model's detect.precision")
      .limits_in_words()
      .type("NAME");
}

void add_thread_option(Command& command) {
  command.number("--threads", set_thread_count, "Threads for the arithmetic; all processors by default").type("N");
}

void print_warnings(const std::vector<std::string>& warnings) {
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < warnings.size() && i < kShown; ++i) {
    std::fprintf(stderr, "diopter: warning: %s\n", printable(warnings[i]).c_str());
  }
  if (warnings.size() > kShown) {
    std::fprintf(stderr, "diopter: warning: %zu more like these\n", warnings.size() - kShown);
  }
}

}  // namespace diopter
