#include "tools/command/environment.h"

#include <sys/sysinfo.h>

#include <array>
#include <cctype>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "data/pictures/image.h"
#include "engine/distributed/device_messages.h"
#include "engine/distributed/launched.h"
#include "generated/cuda_kind.h"
#include "kernels/base/libraries.h"
#include "kernels/base/parallel.h"
#include "kernels/device/stream.h"
#include "kernels/toolkit/widest_vectors.h"
#include "retinanet/onnx/export.h"

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

#if defined(DIOPTER_HOST_EXECUTOR)
std::string cuda_library() { return cuda::version_description() + "; run by the host executor, without a GPU"; }
std::string convolution_libraries() { return "not in this build: the CPU's convolutions take its place"; }
std::string device_name() { return "cuda: the host executor"; }
std::string gpu_description() { return "none: the host executor takes its place"; }
#elif defined(DIOPTER_WITH_CUDA)
std::string cuda_library() { return cuda::version_description(); }
std::string convolution_libraries() { return cuda::convolution_libraries(); }
std::string device_name() { return "cuda: " + cuda::device_description(); }
std::string gpu_description() {
  const std::string problem = cuda::device_problem();
  return problem.empty() ? cuda::device_description() : "none: " + problem;
}
#else
std::string cuda_library() { return "not in this build"; }
std::string convolution_libraries() { return "not in this build"; }
std::string device_name() { return "cuda"; }
std::string gpu_description() { return "not used: this build has no CUDA"; }
#endif

/// Version of NVIDIA's kernel module, as Linux knows it: "580.159.03".
std::string driver_version() {
  std::ifstream file(
      "/proc/driver/nvidia/version");  // "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.159.03  ..."
  for (std::string word; file >> word;) {
    if (std::isdigit(static_cast<unsigned char>(word[0])) && word.find('.') != std::string::npos) return word;
  }
  return "none";
}

std::string memory_size() {
  struct sysinfo system {};
  if (sysinfo(&system) != 0) return "unknown";
  return std::to_string((static_cast<unsigned long long>(system.totalram) * system.mem_unit) >> 20) + " MiB";
}

/// The arguments of this process; the kernel keeps them with a zero after each.
std::vector<std::string> arguments() {
  std::vector<std::string> all;
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  for (std::string argument; std::getline(file, argument, '\0');) all.push_back(argument);
  return all;
}

std::string now() {
  const std::time_t seconds = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&seconds, &utc);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &utc);
  return text.data();
}

}  // namespace

Facts version_facts() {
  return {{"diopter", DIOPTER_VERSION},      {"build", DIOPTER_BUILD},          {"compiled for", instruction_sets()},
          {"vectors", vectors_in_use()},     {"BLAS", blas_library()},          {"threads", threads_library()},
          {"CUDA", cuda_library()},          {"CUDA side", DIOPTER_CUDA_BUILD}, {"cuDNN", convolution_libraries()},
          {"pictures", picture_libraries()}, {"ONNX", onnx_library()},          {"MPI", mpi_version()},
          {"NCCL", nccl_of_machine().text}};
}

Facts gpu_facts() { return {{"driver", driver_version()}, {"GPU", gpu_description()}}; }

Facts machine_facts(std::optional<Device> device) {
  Facts facts{{"processor", processor_name()},
              {"cores", std::to_string(thread_count()) + " of " + std::to_string(std::thread::hardware_concurrency()) +
                            " hardware threads used"},
              {"memory", memory_size()}};
  if (device) facts.emplace_back("device", *device == Device::cpu ? "cpu" : device_name());
  return facts;
}

std::string describe(const Dataset& dataset) {
  std::size_t objects = 0;
  for (const ImageRecord& image : dataset.images) objects += image.annotations.size();
  return std::to_string(dataset.images.size()) + " pictures, " + std::to_string(objects) + " objects of " +
         std::to_string(dataset.categories.size()) + " classes";
}

Start this_start(Device device, const Facts& data) {
  return {now(),
          std::filesystem::current_path().string(),
          shell_command(arguments()),
          machine_facts(device),
          version_facts(),
          data};
}

}  // namespace diopter
