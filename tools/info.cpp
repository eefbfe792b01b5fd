// diopter info: what this program was built with and what it runs on.
#include <cstdio>
#include <memory>
#include <string>

#include "kernels/base/check.h"
#include "retinanet/config/key_list.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/config/presets.h"
#include "tools/command/command.h"
#include "tools/command/environment.h"

namespace diopter {

namespace {

void print(const Facts& facts) {
  for (const auto& [name, value] : facts) std::printf("%-12s %s\n", name.c_str(), value.c_str());
}

struct InfoRequest {
  std::string preset;
  bool keys = false;
};

void print_info(const InfoRequest& request) {
  if (request.keys || !request.preset.empty()) {
    DIOPTER_CHECK(!request.keys || request.preset.empty(), "info prints --keys or a --preset, not both");
    std::fputs((request.keys ? describe_keys() : format_preset(request.preset)).c_str(), stdout);
    return;
  }
  print(version_facts());
  print(machine_facts({}));
  print(gpu_facts());
  std::printf("\nlosses\n%s", describe_losses().c_str());
}

}  // namespace

void add_info_command(Command& program) {
  Command command = program.subcommand(
      "info", "Shows version, build, libraries, processor and GPU; keys and presets of configurations",
      "info\n"
      "  diopter info --keys                                  # every key: values, default, meaning\n"
      "  diopter info --preset small > mine.toml              # a file for --config to start one's own from");
  const auto request = std::make_shared<InfoRequest>();
  command.flag("--keys", request->keys, "Print the list of all keys of a configuration (docs/settings.md)");
  command.text("--preset", request->preset, "Print a preset, every key with its meaning").type("NAME");
  command.action([request] { print_info(*request); });
}

}  // namespace diopter
