// The subcommands of `diopter`: each function adds one, its options and what to do when it is called.
#pragma once

#include <string>
#include <vector>

#include "tools/command/options.h"

namespace diopter {

void add_bench_command(Command& program);
void add_compare_command(Command& program);
void add_convert_command(Command& program);
void add_detect_command(Command& program);
void add_doctor_command(Command& program);
void add_evaluate_command(Command& program);
void add_export_command(Command& program);
void add_figure_command(Command& program);
void add_info_command(Command& program);
void add_kernels_command(Command& program);
void add_report_command(Command& program);
void add_shapes_command(Command& program);
void add_train_command(Command& program);

/// Adds --device, which names where the arithmetic is done (see device_from_name), and --exact, which keeps the CPU
/// from faster convolutions with larger errors (cpu::allow_winograd).
void add_device_option(Command& command, std::string& device);

/// Adds --precision, float or bf16: of a model's arithmetic, instead of its detect.precision. Empty when not given.
void add_precision_option(Command& command, std::string& precision);

/// Adds --threads, which limits the threads of parallel loops.
void add_thread_option(Command& command);

/// Exit code: some of the pictures could not be read, all is done for the others.
constexpr int kSomeUnreadable = 3;

/// Warnings of readers and metrics, one line each on stderr; after the tenth only their number.
void print_warnings(const std::vector<std::string>& warnings);

}  // namespace diopter
