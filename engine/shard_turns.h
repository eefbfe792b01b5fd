// Passes over the shards of a batch that need numbers of each other on their way, as synchronised batch norms do.
#pragma once

#include <condition_variable>
#include <cstring>
#include <exception>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "kernels/device/memory.h"

namespace diopter {

/// The shards of a batch, of which process `rank` of `ranks` has the shards rank, rank + ranks, ... Each of them has a
/// thread here, and one thread works at a time: until its shard asks for what the others have to say, when the next
/// shard goes on. So their passes are in step with each other, and all is done in one order. A single shard needs no
/// thread.
class ShardTurns {
 public:
  /// What each rank says, by rank; all of them call it.
  using Gather = std::function<std::vector<std::string>(const std::string& mine)>;
  struct Ranks {
    int rank = 0, ranks = 1;
    Gather gather;
  };
  /// Called when shard i (of this rank's, from 0) begins a turn, and when it ends one.
  using AtSwitch = std::function<void(int i)>;

  /// The work goes to `device`.
  ShardTurns(Ranks ranks, int shards, Device device, AtSwitch at_switch = {});
  ~ShardTurns();
  ShardTurns(const ShardTurns&) = delete;

  /// What norms do with their running statistics in a pass: a pass that only looks does not move them.
  enum class Statistics { moved, kept };

  /// Calls work(i) for each shard i of this rank. Every rank calls it. Throws what `work` throws first; the other
  /// shards then stop where they wait.
  void run(Statistics statistics, const std::function<void(int i)>& work);

  /// Those in whose `work` this thread is, or null.
  static ShardTurns* current();
  /// What each shard of the batch says, in the order of the shards; all of them call it at the same places of their
  /// `work`, with texts of one length.
  std::vector<std::string> gather(const std::string& mine);
  /// Whether the shard of this thread is the one of this rank that moves running statistics.
  bool moves_statistics() const;

  /// The sums over all shards, added in their order, of `mine`, [n] of any type with +=.
  template <class Sums>
  std::vector<Sums> add_up(const std::vector<Sums>& mine) {
    std::vector<Sums> all(mine.size());
    for (const std::string& told : gather({reinterpret_cast<const char*>(mine.data()), mine.size() * sizeof(Sums)})) {
      for (std::size_t i = 0; i < all.size(); ++i) {
        Sums part;
        std::memcpy(&part, told.data() + i * sizeof part, sizeof part);
        all[i] += part;
      }
    }
    return all;
  }

 private:
  static constexpr int kNobody = -1;
  class Turn;

  void serve(int i);
  void work_on(int i);
  void switch_shard(int i) const;
  /// Gives the turn to the next shard that has not ended, or to nobody.
  void pass_turn(int i);
  void wait_for_turn(int i);
  std::vector<std::string> gather_from_ranks();

  Ranks ranks_;
  int shards_, mine_;
  Device device_;
  AtSwitch at_switch_;
  void* stream_ = nullptr;  // of the thread that called run
  const std::function<void(int)>* work_ = nullptr;
  Statistics statistics_ = Statistics::kept;

  std::mutex mutex_;
  std::condition_variable changed_;
  int turn_ = kNobody;
  bool closing_ = false;
  // Of whoever has the turn:
  std::vector<char> ended_;
  std::vector<std::string> said_, all_;
  std::exception_ptr failure_;

  std::vector<std::thread> threads_;
};

}  // namespace diopter
