// Fibres: stacks on which CUDA threads run, and the switch from one to another.
#pragma once

#include <cstddef>

namespace diopter::host_executor {

struct Fibre {
  void* stack_pointer = nullptr;  // while it does not run
  const void* stack = nullptr;    // lowest address
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

/// A fibre with a stack of its own, which calls entry() when first switched to. entry must not return.
Fibre* make_fibre(void (*entry)());
void destroy_fibre(Fibre* fibre);

/// Suspends `from`, the fibre that runs, and continues `to`. Returns when something switches back to `from`.
void switch_fibre(Fibre& from, Fibre& to);

/// To be called first in the entry of a fibre.
void fibre_entered(Fibre& fibre);

}  // namespace diopter::host_executor
