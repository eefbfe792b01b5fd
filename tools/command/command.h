// The subcommands of `diopter`: each function adds one, its options and what to do when it is called.
#pragma once

#include <CLI/CLI.hpp>

#include <string>
#include <vector>

namespace diopter {

void add_bench_command(CLI::App& app);
void add_compare_command(CLI::App& app);
void add_convert_command(CLI::App& app);
void add_detect_command(CLI::App& app);
void add_doctor_command(CLI::App& app);
void add_evaluate_command(CLI::App& app);
void add_figure_command(CLI::App& app);
void add_info_command(CLI::App& app);
void add_kernels_command(CLI::App& app);
void add_report_command(CLI::App& app);
void add_shapes_command(CLI::App& app);
void add_train_command(CLI::App& app);

/// Adds a subcommand whose help closes with an example; `example` is what follows `diopter `.
CLI::App& add_command(CLI::App& app, const std::string& name, const std::string& description,
                      const std::string& example);

/// Adds --device, which names where the arithmetic is done (see device_from_name), and --exact, which keeps the CPU from
/// faster convolutions with larger errors (cpu::allow_winograd).
void add_device_option(CLI::App& command, std::string& device);

/// Adds --precision, float or bf16: of a model's arithmetic, instead of its detect.precision. Empty when not given.
void add_precision_option(CLI::App& command, std::string& precision);

/// Adds --threads, which limits the threads of parallel loops.
void add_thread_option(CLI::App& command);

/// Warnings of readers and metrics, one line each on stderr; after the tenth only their number.
void print_warnings(const std::vector<std::string>& warnings);

}  // namespace diopter
