// The command `diopter`: finds the subcommand, and turns what it throws into one line and an exit code.
// 0: done. 1: a fault of the program, or a check that failed. 2: input or a request that cannot be used.
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/did_you_mean.h"
#include "tools/command/command.h"

namespace {

void check_command_name(const CLI::App& app, int argc, char** argv) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;

  DIOPTER_CHECK(argc > 1, "no command given, it is one of ", list, " (see diopter --help)");
  const std::string typed = argv[1];
  if (typed.starts_with("-") || std::find(names.begin(), names.end(), typed) != names.end()) return;
  const std::string nearest = diopter::nearest_name(typed, names);
  if (nearest.empty()) diopter::fail("unknown command '", typed, "', it is one of ", list, " (see diopter --help)");
  diopter::fail("unknown command '", typed, "', did you mean '", nearest, "'? (see diopter --help)");
}

/// What CLI11 has to say about the command line, in one line and with a hint.
std::string one_line(const CLI::App& app, const CLI::ParseError& error) {
  std::string line = error.what();
  while (!line.empty() && line.back() == '\n') line.pop_back();
  std::replace(line.begin(), line.end(), '\n', ' ');
  std::string command = "diopter";
  for (const CLI::App* subcommand : app.get_subcommands()) command += " " + subcommand->get_name();
  return line + " (see " + command + " --help)";
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Trains, evaluates and runs RetinaNet object detectors.", "diopter");
  app.set_version_flag("--version", "diopter " DIOPTER_VERSION);
  app.get_formatter()->column_width(36);
  app.footer("Help on a command:\n  diopter evaluate --help");
  app.require_subcommand(1);
  diopter::add_shapes_command(app);
  diopter::add_doctor_command(app);
  diopter::add_kernels_command(app);
  diopter::add_bench_command(app);
  diopter::add_train_command(app);
  diopter::add_evaluate_command(app);
  diopter::add_detect_command(app);
  diopter::add_compare_command(app);
  diopter::add_report_command(app);
  diopter::add_convert_command(app);
  diopter::add_figure_command(app);
  diopter::add_info_command(app);

  try {
    check_command_name(app, argc, argv);
    app.parse(argc, argv);
    return 0;
  } catch (const CLI::Success& help_or_version) {
    return app.exit(help_or_version);
  } catch (const CLI::RuntimeError& ended) {  // a command has said what it had to say
    return ended.get_exit_code();
  } catch (const CLI::ParseError& error) {
    std::fprintf(stderr, "diopter: %s\n", one_line(app, error).c_str());
    return 2;
  } catch (const diopter::Error& error) {
    std::fprintf(stderr, "diopter: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "diopter: internal error: %s\n", error.what());
    return 1;
  }
}
