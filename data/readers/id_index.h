// Index of records by their ids.
#pragma once

#include <cstdint>
#include <random>
#include <unordered_map>
#include <unordered_set>
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

using IdIndex = std::unordered_map<std::int64_t, int, IdHash>;
using IdSet = std::unordered_set<std::int64_t, IdHash>;

/// Id -> position in `records` (anything with a member `id`); of repeated ids the first counts.
template <class Record>
IdIndex index_by_id(const std::vector<Record>& records) {
  IdIndex index;
  index.reserve(records.size());
  int position = 0;
  for (const Record& record : records) index.emplace(record.id, position++);
  return index;
}

/// Position of `id`, or -1.
inline int find_id(const IdIndex& index, std::int64_t id) {
  const auto found = index.find(id);
  return found == index.end() ? -1 : found->second;
}

}  // namespace diopter
