// The command `diopter`: finds the subcommand, and turns what it throws into one line and an exit code.
// 0: done. 1: a fault of the program, or a check that failed. 2: input or a request that cannot be used. 3: done, but
// for pictures that cannot be read (kSomeUnreadable). 130: stopped (kInterrupted).
#include <cstdio>
#include <exception>
#include <filesystem>
#include <new>
#include <stdexcept>
#include <string>
#include <system_error>

#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "kernels/toolkit/widest_vectors.h"
#include "tools/command/command.h"
#include "tools/command/interrupt.h"
#include "tools/command/ranks.h"

namespace {

int refused(const std::string& line) {
  std::fprintf(stderr, "diopter: %s\n", diopter::printable(line).c_str());
  return 2;
}

int out_of_memory(const std::string& what) {
  return refused(what + ": lower train.batch_size, detect.batch_size, train.workers or input.max_size");
}

}  // namespace

int main(int argc, char** argv) {
  diopter::prepare_process();
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
  diopter::add_export_command(commands);
  diopter::add_figure_command(commands);
  diopter::add_info_command(commands);

  try {
    diopter::check_vectors_setting();
    if (diopter::refused_on_ranks(argc, argv)) return 2;
    const int code = program.run(argc, argv);
    diopter::check_standard_output();
    return code;
  } catch (const diopter::OutOfMemory& error) {
    return out_of_memory(error.what());
  } catch (const diopter::Error& error) {
    return refused(error.what());
  } catch (const std::bad_alloc&) {
    return out_of_memory("out of memory");
  } catch (const std::length_error&) {  // a size beyond all memory
    return out_of_memory("out of memory");
  } catch (const std::filesystem::filesystem_error& error) {
    return refused(error.path1().string() + ": " + error.code().message());
  } catch (const std::system_error& error) {  // no more threads
    return refused("the system refuses to go on: " + error.code().message());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "diopter: internal error: %s\n", diopter::printable(error.what()).c_str());
    return 1;
  }
}
