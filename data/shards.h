// Shards of training batches: which of them a process works on.
#pragma once

#include <cstdint>

namespace diopter {

/// A batch is cut into shards, equal parts; process `rank` of `ranks` has the shards rank, rank + ranks, ... of each.
/// ranks <= shards.
struct ShardRule {
  int shards = 1;
  int rank = 0, ranks = 1;

  /// Shards of a batch that this process has.
  int mine() const { return (shards - rank + ranks - 1) / ranks; }
  /// Of the process that has the most.
  int rounds() const { return (shards + ranks - 1) / ranks; }
  /// Number of this process's shard i among all shards of all batches.
  std::int64_t number(std::int64_t i) const { return i / mine() * shards + rank + i % mine() * ranks; }
};

}  // namespace diopter
