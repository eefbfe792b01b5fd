// Fibres: stacks on which CUDA threads run, and the switch from one to another.
#pragma once

#include "kernels/host_executor/address_sanitizer.h"

namespace diopter::host_executor {

struct Fibre {
  void* stack_pointer = nullptr;  // while it does not run
  address_sanitizer::Stack stack;
};

/// A fibre with a stack of its own, which calls entry() when first switched to. entry must not return.
Fibre* make_fibre(void (*entry)());
void destroy_fibre(Fibre* fibre);

/// Suspends `from`, the fibre that runs, and continues `to`. Returns when something switches back to `from`.
void switch_fibre(Fibre& from, Fibre& to);

/// To be called first in the entry of a fibre.
void fibre_entered(Fibre& fibre);

}  // namespace diopter::host_executor
