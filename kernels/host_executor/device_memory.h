// The memory of the device that is not there: host memory in exactly sized pieces, with a register of what lies where.
// Under AddressSanitizer host code may not touch it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <set>

namespace diopter::host_executor {

struct Allocation {
  const void* begin = nullptr;
  std::size_t bytes = 0;
};

class DeviceMemory {
 public:
  /// Released memory goes back to the driver at once, or stays with the process: with its pool, or for graphs. What is
  /// allocated in the same way uses it again, in pieces that are large enough; nothing else does until trim().
  enum class Kept { no, in_pool, for_graphs };

  /// Null when there is none left. Filled as the options say.
  void* allocate(std::size_t bytes, Kept from = Kept::no);
  /// False when `memory` is not the start of a piece.
  bool release(void* memory, Kept kept = Kept::no);
  /// Gives what is kept back to the driver.
  void trim(Kept kept);
  /// Whether [p, p + bytes) lies in one piece.
  bool holds(const void* p, std::size_t bytes) const;
  /// Whether p lies in any piece.
  bool contains(const void* p) const;
  /// The one that p lies in or, where there is none, the last that begins before it; empty where none does.
  Allocation allocation_before(const void* p) const;
  /// Number of allocations and releases so far.
  std::uint64_t changes() const { return changes_; }
  std::size_t total() const;
  std::size_t free() const;

  /// While one lives, the device works: its memory may be touched.
  class Access {
   public:
    explicit Access(DeviceMemory& memory) : memory_(memory) {
      if (memory_.accesses_++ == 0) memory_.set_accessible(true);
    }
    ~Access() {
      if (--memory_.accesses_ == 0) memory_.set_accessible(false);
    }
    Access(const Access&) = delete;

   private:
    DeviceMemory& memory_;
  };

 private:
  void set_accessible(bool accessible);

  std::map<const char*, std::size_t> pieces_;        // start, bytes
  std::map<Kept, std::multiset<std::size_t>> kept_;  // bytes of released pieces
  std::size_t used_ = 0, kept_bytes_ = 0;
  std::uint64_t changes_ = 0;
  int accesses_ = 0;
};

/// Page-locked host memory.
class PinnedMemory {
 public:
  void* allocate(std::size_t bytes);
  bool release(void* memory);
  bool contains(const void* p) const;
  Allocation allocation_before(const void* p) const;
  std::uint64_t changes() const { return changes_; }

 private:
  std::map<const char*, std::size_t> pieces_;
  std::uint64_t changes_ = 0;
};

}  // namespace diopter::host_executor
