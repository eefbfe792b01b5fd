// This process, as the system sees it.
#pragma once

#include <cstdint>
#include <string>

namespace diopter {

/// Largest resident size so far, in MiB.
double peak_resident_mib();

/// Memory that this process can still have, and what limits it.
struct AvailableMemory {
  std::int64_t bytes;
  std::string limit;  // "the machine", "the control group" (of a container or a batch system), "ulimit -v"
};
/// The least of what is free, swap included, what the control groups leave, and what setrlimit allows.
AvailableMemory available_memory();

}  // namespace diopter
