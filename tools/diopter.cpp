// The command `diopter`: finds the subcommand, and turns what it throws into one line and an exit code.
// 0: done. 1: a fault of the program, or a check that failed. 2: input or a request that cannot be used.
#include <cstdio>
#include <exception>

#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "kernels/toolkit/widest_vectors.h"
#include "tools/command/command.h"

int main(int argc, char** argv) {
  diopter::Program program("diopter", "Trains, evaluates and runs RetinaNet object detectors.",
                           "diopter " DIOPTER_VERSION, "Help on a command:\n  diopter evaluate --help");
  diopter::Command commands = program.command();
  diopter::add_shapes_command(commands);
  diopter::add_doctor_command(commands);
  diopter::add_kernels_command(commands);
  diopter::add_bench_command(commands);
  diopter::add_train_command(commands);
  diopter::add_evaluate_command(commands);
  diopter::add_detect_command(commands);
  diopter::add_compare_command(commands);
  diopter::add_report_command(commands);
  diopter::add_convert_command(commands);
  diopter::add_figure_command(commands);
  diopter::add_info_command(commands);

  try {
    diopter::check_vectors_setting();
    return program.run(argc, argv);
  } catch (const diopter::Error& error) {
    std::fprintf(stderr, "diopter: %s\n", diopter::printable(error.what()).c_str());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "diopter: internal error: %s\n", diopter::printable(error.what()).c_str());
    return 1;
  }
}
