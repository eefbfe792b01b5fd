// Index of records by their ids.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <random>
#include <vector>

namespace diopter {

/// A hash that differs from run to run: with the library's, the id itself, a file can have all of its ids collide.
struct IdHash {
  std::size_t operator()(std::int64_t id) const {
    static const std::uint64_t salt = std::uint64_t{std::random_device{}()} << 32 | std::random_device{}();
    std::uint64_t x = (static_cast<std::uint64_t>(id) ^ salt) * 0x9E3779B97F4A7C15u;  // SplitMix64's mixing
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9u;
    x = (x ^ x >> 27) * 0x94D049BB133111EBu;
    return static_cast<std::size_t>(x ^ x >> 31);
  }
};

/// Id -> a number that is not negative. Open addressing: a look-up touches one or two lines of memory.
class HashedIds {
 public:
  void reserve(std::size_t ids) {
    if (2 * ids > slots_.size()) rehash(2 * ids);
  }

  /// Nothing happens, and false is returned, where the id has a number.
  bool emplace(std::int64_t id, int number) {
    reserve(size_ + 1);
    Slot& slot = slots_[place(id)];
    if (slot.number >= 0) return false;
    slot = {id, number};
    ++size_;
    return true;
  }

  /// -1 where the id has none.
  int find(std::int64_t id) const { return slots_.empty() ? -1 : slots_[place(id)].number; }

 private:
  struct Slot {
    std::int64_t id = 0;
    int number = -1;
  };

  /// The id's slot, or the free one that it would get.
  std::size_t place(std::int64_t id) const {
    std::size_t i = IdHash()(id) & (slots_.size() - 1);
    while (slots_[i].number >= 0 && slots_[i].id != id) i = (i + 1) & (slots_.size() - 1);
    return i;
  }

  void rehash(std::size_t least) {
    std::vector<Slot> old(std::bit_ceil(std::max<std::size_t>(least, 16)));
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.number >= 0) slots_[place(slot.id)] = slot;
    }
  }

  std::vector<Slot> slots_;  // a power of two, at least half of them free
  std::size_t size_ = 0;
};

class IdSet {
 public:
  void reserve(std::size_t ids) { ids_.reserve(ids); }
  /// Whether it is new.
  bool insert(std::int64_t id) { return ids_.emplace(id, 0); }

 private:
  HashedIds ids_;
};

/// Id -> position in a list; of repeated ids the first counts. Ids that lie close together, as most files have them,
/// are looked up in a table.
class IdIndex {
 public:
  explicit IdIndex(const std::vector<std::int64_t>& ids) {
    if (ids.empty()) return;
    const auto [least, greatest] = std::minmax_element(ids.begin(), ids.end());
    lowest_ = static_cast<std::uint64_t>(*least);
    const std::uint64_t range = static_cast<std::uint64_t>(*greatest) - lowest_;
    if (range / 4 < ids.size()) {
      table_.assign(static_cast<std::size_t>(range) + 1, -1);
    } else {
      hashed_.reserve(ids.size());
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const int position = static_cast<int>(i);
      if (table_.empty()) {
        hashed_.emplace(ids[i], position);
      } else if (int& entry = table_[static_cast<std::uint64_t>(ids[i]) - lowest_]; entry < 0) {
        entry = position;
      }
    }
  }

  /// -1 where there is none.
  int find(std::int64_t id) const {
    const std::uint64_t above = static_cast<std::uint64_t>(id) - lowest_;
    return above < table_.size() ? table_[above] : hashed_.find(id);
  }

 private:
  std::uint64_t lowest_ = 0;
  std::vector<int> table_;  // by id - lowest_, or empty
  HashedIds hashed_;
};

/// Id -> position in `records` (anything with a member `id`); of repeated ids the first counts.
template <class Record>
IdIndex index_by_id(const std::vector<Record>& records) {
  std::vector<std::int64_t> ids;
  ids.reserve(records.size());
  for (const Record& record : records) ids.push_back(record.id);
  return IdIndex(ids);
}

/// Position of `id`, or -1.
inline int find_id(const IdIndex& index, std::int64_t id) { return index.find(id); }

}  // namespace diopter
