// The memory that PTX names, with every access checked: global memory against the executor's allocations, shared memory
// variable by variable, and the alignment of each.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/host_executor/language.h"
#include "kernels/host_executor/ptx/runtime/kernel.h"

namespace diopter::host_executor::ptx {

using u8 = std::uint8_t;
using u64 = std::uint64_t;

/// Addresses from begin to end.
struct Range {
  u64 begin, end;
  bool holds(u64 address, std::size_t bytes) const {
    return address >= begin && address < end && end - address >= bytes;
  }
};

/// The allocations that this host thread's kernels touched last; forgotten when memory was allocated or freed since.
inline constexpr int kRecent = 4;
extern __thread Range recent_allocations[kRecent];

/// To be called by each CUDA thread at its begin.
void forget_old_allocations();

/// The slow path of Memory::global: looks the address up, and reports it where there is nothing.
u8* global_memory(u64 address, std::size_t bytes, Site site);
/// The running block's own memory for the variable.
u8* memory_of(const SharedVariable& variable);
[[noreturn]] void report_outside(const char* memory, u64 address, std::size_t bytes, Site site);
[[noreturn]] void report_misaligned(u64 address, std::size_t bytes, Site site);

/// As one CUDA thread sees it, in a kernel with N - 1 shared variables. Sizes of accesses are powers of two.
template <std::size_t N>
class Memory {
 public:
  Memory(const SharedVariable (&shared)[N], const Arguments& arguments, u8* local = nullptr,
         std::size_t local_bytes = 0)
      : parameters_(range(arguments.parameters.data(), arguments.parameter_bytes)), local_(range(local, local_bytes)) {
    for (std::size_t i = 0; i < N; ++i) {
      const std::size_t bytes = i + 1 < N ? shared[i].bytes : arguments.dynamic_shared;
      u8* memory = i + 1 < N ? memory_of(shared[i]) : static_cast<u8*>(dynamic_shared());
      shared_[i] = {{shared[i].address, shared[i].address + bytes}, memory};
    }
  }

  u64 parameters() const { return parameters_.begin; }
  u64 local() const { return local_.begin; }

  u8* param(u64 address, std::size_t bytes, Site site = here()) const {
    return checked(parameters_, "parameters", address, bytes, site);
  }
  u8* local(u64 address, std::size_t bytes, Site site = here()) const {
    return checked(local_, "local memory", address, bytes, site);
  }
  u8* global(u64 address, std::size_t bytes, Site site = here()) const {
    if (address % bytes == 0) {
      for (const Range& allocation : recent_allocations) {
        if (allocation.holds(address, bytes)) return reinterpret_cast<u8*>(address);
      }
    }
    return global_memory(address, bytes, site);
  }
  u8* shared(u64 address, std::size_t bytes, Site site = here()) const {
    if (address % bytes != 0) report_misaligned(address, bytes, site);
    for (const Shared& variable : shared_) {
      if (variable.window.holds(address, bytes)) return variable.memory + (address - variable.window.begin);
    }
    report_outside("shared memory", address, bytes, site);
  }
  u8* generic(u64 address, std::size_t bytes, Site site = here()) const {
    for (const Shared& variable : shared_) {
      const Range place = range(variable.memory, variable.window.end - variable.window.begin);
      if (place.holds(address, 1)) return checked(place, "a shared variable", address, bytes, site);
    }
    if (local_.holds(address, 1)) return local(address, bytes, site);
    return global(address, bytes, site);
  }

  /// cvta.shared: an address past the end of a variable stays as far from it.
  u64 generic_of_shared(u64 address) const {
    std::size_t i = N - 1;
    while (i > 0 && shared_[i].window.begin > address) --i;
    return reinterpret_cast<u64>(shared_[i].memory) + (address - shared_[i].window.begin);
  }

 private:
  struct Shared {
    Range window;
    u8* memory;
  };

  static Range range(const void* begin, std::size_t bytes) {
    return {reinterpret_cast<u64>(begin), reinterpret_cast<u64>(begin) + bytes};
  }
  static u8* checked(const Range& range, const char* memory, u64 address, std::size_t bytes, Site site) {
    if (address % bytes != 0) report_misaligned(address, bytes, site);
    if (!range.holds(address, bytes)) report_outside(memory, address, bytes, site);
    return reinterpret_cast<u8*>(address);
  }

  Range parameters_, local_;
  Shared shared_[N];
};

}  // namespace diopter::host_executor::ptx
