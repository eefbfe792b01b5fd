// The hand-written kernels: what each computes from, where it lies, and what it must at least move.
#pragma once

#include <string>
#include <vector>

namespace diopter {

struct KernelEntry {
  const char* name;
  const char* files;    // folder/stem of x.h, x.cpp and x.cu
  const char* more;     // further files that are part of it, or ""
  const char* formula;  // where the formula, or the rule, comes from
  const char* floor;    // bytes that must be read and written, s being the size of a stored value: 4 (float), 2 (bf16)
  const char* tests;    // Catch2's filter for its tests
};

/// Those of kernels/detection and kernels/nn, one for each x.cu.
const std::vector<KernelEntry>& kernel_list();

/// The kernel of that name; throws Error that names the nearest one.
const KernelEntry& kernel_named(const std::string& name);

}  // namespace diopter
