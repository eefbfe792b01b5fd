#include "kernels/device/memory.h"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <string>

#include "kernels/base/check.h"

namespace diopter::cpu {

namespace {

std::atomic<std::size_t> allocated{0}, peak{0};

// A block begins with its size, so that allocated_bytes() is exact; what is handed out follows, aligned.
constexpr std::size_t kAlignment = 64;

// Activations come and go every step: keep their pages instead of returning them to the system each time
// (a fresh page costs more than the kernel that writes it).
const bool pages_are_kept = [] {
  mallopt(M_MMAP_THRESHOLD, 1 << 30);
  mallopt(M_TRIM_THRESHOLD, 1 << 30);
  return true;
}();

}  // namespace

void* allocate(std::size_t bytes) {
  if (bytes == 0) return nullptr;
  void* block = std::aligned_alloc(kAlignment, (kAlignment + bytes + kAlignment - 1) / kAlignment * kAlignment);
  if (!block) {
    throw OutOfMemory("out of memory: " + std::to_string(bytes >> 20) + " MiB wanted, " +
                      std::to_string(allocated_bytes() >> 20) + " MiB held");
  }
  *static_cast<std::size_t*>(block) = bytes;
  const std::size_t now = allocated += bytes;
  std::size_t before = peak;
  while (before < now && !peak.compare_exchange_weak(before, now)) {
  }
  return static_cast<char*>(block) + kAlignment;
}

void deallocate(void* memory) noexcept {
  if (!memory) return;
  void* block = static_cast<char*>(memory) - kAlignment;
  allocated -= *static_cast<std::size_t*>(block);
  std::free(block);
}

void zero(void* memory, std::size_t bytes) {
  if (bytes > 0) std::memset(memory, 0, bytes);
}

void copy(void* to, const void* from, std::size_t bytes) {
  if (bytes > 0) std::memcpy(to, from, bytes);
}

void copy_from_host(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }
void copy_to_host(void* to, const void* from, std::size_t bytes) { copy(to, from, bytes); }

std::size_t allocated_bytes() { return allocated; }
std::size_t peak_bytes() { return peak; }
void reset_peak_bytes() { peak = allocated.load(); }

}  // namespace diopter::cpu
