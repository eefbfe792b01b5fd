// diopter info: what this program was built with and what it runs on.
#include <fstream>
#include <iostream>
#include <string>
#include <thread>

#include "kernels/common/libraries.h"
#include "kernels/common/parallel.h"
#include "retinanet/loss_choice.h"
#include "tools/command.h"

namespace diopter {

namespace {

/// The processor's name as Linux knows it.
std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.starts_with("model name") && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

/// Instruction sets that the compiler was allowed to use.
std::string instruction_sets() {
  std::string sets;
  const auto add = [&](const char* name) { sets += (sets.empty() ? "" : " ") + std::string(name); };
#if defined(__SSE2__)
  add("sse2");
#endif
#if defined(__SSE4_2__)
  add("sse4.2");
#endif
#if defined(__AVX__)
  add("avx");
#endif
#if defined(__AVX2__)
  add("avx2");
#endif
#if defined(__FMA__)
  add("fma");
#endif
#if defined(__AVX512F__)
  add("avx512f");
#endif
#if defined(__ARM_NEON)
  add("neon");
#endif
  return sets.empty() ? "none beyond the basic ones" : sets;
}

void print_info() {
  std::cout << "diopter      " << DIOPTER_VERSION << '\n'
            << "build        " << DIOPTER_BUILD << '\n'
            << "compiled for " << instruction_sets() << '\n'
            << "processor    " << processor_name() << ", " << thread_count() << " of "
            << std::thread::hardware_concurrency() << " hardware threads used\n"
            << "matrices     " << blas_library() << '\n'
            << "threads      " << threads_library() << '\n'
            << "CUDA         not in this build\n\n"
            << "losses\n" << describe_losses();
}

}  // namespace

void add_info_command(CLI::App& app) {
  add_command(app, "info", "Shows version, build, processor and libraries", "info").callback(print_info);
}

}  // namespace diopter
