// Memory of both devices.
#pragma once

#include <cstddef>

namespace diopter {

/// Where a tensor lives. One process drives one GPU, so there is no index.
enum class Device { cpu, cuda };

namespace cpu {
/// 64-byte aligned, uninitialised; bytes may be 0 (nullptr). Throws Error naming the size when there is none left.
void* allocate(std::size_t bytes);
void deallocate(void* memory) noexcept;
/// Bytes now allocated through allocate(), and the largest such number since reset_peak_bytes().
std::size_t allocated_bytes();
std::size_t peak_bytes();
void reset_peak_bytes();
}  // namespace cpu

}  // namespace diopter
