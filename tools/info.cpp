// diopter info: what this program was built with and what it runs on.
#include <cstdio>

#include "retinanet/config/loss_text.h"
#include "tools/command/command.h"
#include "tools/command/environment.h"

namespace diopter {

namespace {

void print(const Facts& facts) {
  for (const auto& [name, value] : facts) std::printf("%-12s %s\n", name.c_str(), value.c_str());
}

void print_info() {
  print(version_facts());
  print(machine_facts({}));
  std::printf("\nlosses\n%s", describe_losses().c_str());
}

}  // namespace

void add_info_command(Command& program) {
  program.subcommand("info", "Shows version, build, processor and libraries", "info").action(print_info);
}

}  // namespace diopter
