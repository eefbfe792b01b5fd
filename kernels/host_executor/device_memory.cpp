#include "kernels/host_executor/device_memory.h"

#include <unistd.h>

#include <cstdlib>
#include <iterator>
#include <utility>

#include "kernels/host_executor/address_sanitizer.h"
#include "kernels/host_executor/options.h"

namespace diopter::host_executor {

namespace {

using Pieces = std::map<const char*, std::size_t>;

/// The last piece that begins at p or before, or the end.
Pieces::const_iterator piece_before(const Pieces& pieces, const void* p) {
  const auto next = pieces.upper_bound(static_cast<const char*>(p));
  return next == pieces.begin() ? pieces.end() : std::prev(next);
}

/// The piece that p lies in, or the end.
Pieces::const_iterator piece_of(const Pieces& pieces, const void* p) {
  const auto piece = piece_before(pieces, p);
  if (piece == pieces.end()) return piece;
  return static_cast<const char*>(p) < piece->first + piece->second ? piece : pieces.end();
}

Allocation allocation(const Pieces& pieces, const void* p) {
  const auto piece = piece_before(pieces, p);
  return piece == pieces.end() ? Allocation{} : Allocation{piece->first, piece->second};
}

void* allocate_aligned(std::size_t bytes) {
  // One byte more, so that the end of a piece is not the start of other memory. AddressSanitizer has gaps of its own,
  // and shall know the exact size.
  const std::size_t gap = address_sanitizer::kPresent && bytes > 0 ? 0 : 1;
  void* memory = nullptr;
  return posix_memalign(&memory, 256, bytes + gap) == 0 ? memory : nullptr;
}

}  // namespace

void* DeviceMemory::allocate(std::size_t bytes, Kept from) {
  std::multiset<std::size_t>& kept = kept_[from];
  if (const auto large_enough = kept.lower_bound(bytes); large_enough != kept.end()) {
    if (*large_enough > bytes) kept.insert(*large_enough - bytes);
    kept.erase(large_enough);
    kept_bytes_ -= bytes;
  }
  if (bytes > free()) return nullptr;
  void* memory = allocate_aligned(bytes);
  if (!memory) return nullptr;
  fill_fresh(memory, bytes);
  pieces_[static_cast<const char*>(memory)] = bytes;
  ++changes_;
  used_ += bytes;
  if (accesses_ == 0) address_sanitizer::forbid(memory, bytes);
  return memory;
}

bool DeviceMemory::release(void* memory, Kept kept) {
  const auto piece = pieces_.find(static_cast<const char*>(memory));
  if (piece == pieces_.end()) return false;
  address_sanitizer::allow(memory, piece->second);
  if (options().lazy) fill_fresh(memory, piece->second);  // for work on another stream that comes too late
  used_ -= piece->second;
  if (kept != Kept::no) {
    kept_[kept].insert(piece->second);
    kept_bytes_ += piece->second;
  }
  pieces_.erase(piece);
  ++changes_;
  std::free(memory);
  return true;
}

void DeviceMemory::trim(Kept kept) {
  for (const std::size_t bytes : std::exchange(kept_[kept], {})) kept_bytes_ -= bytes;
}

bool DeviceMemory::holds(const void* p, std::size_t bytes) const {
  const auto piece = piece_of(pieces_, p);
  return piece != pieces_.end() && static_cast<const char*>(p) + bytes <= piece->first + piece->second;
}

bool DeviceMemory::contains(const void* p) const { return piece_of(pieces_, p) != pieces_.end(); }

Allocation DeviceMemory::allocation_before(const void* p) const { return allocation(pieces_, p); }

std::size_t DeviceMemory::total() const {
  if (options().memory > 0) return options().memory << 20;
  return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

std::size_t DeviceMemory::free() const {
  const std::size_t taken = used_ + kept_bytes_;
  return total() > taken ? total() - taken : 0;
}

void DeviceMemory::set_accessible(bool accessible) {
  for (const auto& [start, bytes] : pieces_) {
    accessible ? address_sanitizer::allow(start, bytes) : address_sanitizer::forbid(start, bytes);
  }
}

void* PinnedMemory::allocate(std::size_t bytes) {
  void* memory = allocate_aligned(bytes);
  if (memory) pieces_[static_cast<const char*>(memory)] = bytes;
  ++changes_;
  return memory;
}

bool PinnedMemory::release(void* memory) {
  if (pieces_.erase(static_cast<const char*>(memory)) == 0) return false;
  ++changes_;
  std::free(memory);
  return true;
}

bool PinnedMemory::contains(const void* p) const { return piece_of(pieces_, p) != pieces_.end(); }

Allocation PinnedMemory::allocation_before(const void* p) const { return allocation(pieces_, p); }

}  // namespace diopter::host_executor
