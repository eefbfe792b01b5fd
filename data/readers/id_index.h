// Index of records by their ids.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

namespace diopter {

/// Id -> position in `records` (anything with a member `id`); of repeated ids the first counts.
template <class Record>
std::unordered_map<std::int64_t, int> index_by_id(const std::vector<Record>& records) {
  std::unordered_map<std::int64_t, int> index;
  index.reserve(records.size());
  int position = 0;
  for (const Record& record : records) index.emplace(record.id, position++);
  return index;
}

/// Position of `id`, or -1.
inline int find_id(const std::unordered_map<std::int64_t, int>& index, std::int64_t id) {
  const auto found = index.find(id);
  return found == index.end() ? -1 : found->second;
}

}  // namespace diopter
