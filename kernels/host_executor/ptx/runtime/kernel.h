// Kernels translated from PTX: what a launch needs to know of them, and what they are called with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace diopter::host_executor::ptx {

struct Parameter {
  std::size_t bytes, alignment;
};

/// A __shared__ variable. Its address is one of the 32-bit window that PTX sees; the memory itself lies elsewhere.
struct SharedVariable {
  std::uint32_t address;
  std::size_t bytes, alignment;
};

/// What all threads of a launch share.
struct Arguments {
  std::vector<std::uint64_t> parameters;  // as they lie in parameter memory, in words of 8 bytes
  std::size_t parameter_bytes;
  std::size_t dynamic_shared;  // bytes
};

struct Kernel {
  const char* name;  // as in PTX
  const char* file;
  int line;
  void (*body)(const Arguments& arguments);  // runs one CUDA thread
  std::vector<Parameter> parameters;
  std::span<const SharedVariable> shared;  // the last is the dynamic shared memory, of 0 bytes here
  unsigned most_threads;                   // of a block, by __launch_bounds__; 0 is unlimited
};

/// Each translated file calls this before main() for each of its kernels. Kernels of headers are in several files, and
/// the same in all: the first is taken.
void add_kernel(Kernel kernel);

}  // namespace diopter::host_executor::ptx
