// Limits of the device that the host executor plays: those of an H100 or H200.
#pragma once

#include <cstddef>

namespace diopter::host_executor {

inline constexpr unsigned kWarp = 32, kMaxThreads = 1024;  // threads of a warp, of a block

/// Bytes of shared memory of a block, static and dynamic together: without asking, and with
/// cudaFuncAttributeMaxDynamicSharedMemorySize.
inline constexpr std::size_t kUsualShared = 48 << 10, kMostShared = 227 << 10;

}  // namespace diopter::host_executor
