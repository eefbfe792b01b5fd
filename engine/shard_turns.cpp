#include "engine/shard_turns.h"

#include <algorithm>
#include <utility>

#include "kernels/device/borrowed_stream.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

namespace {

/// The shard that this thread works on.
struct Place {
  ShardTurns* turns = nullptr;
  int shard = 0;
};
thread_local Place place;

class Within {
 public:
  explicit Within(const Place& inner) : outer_(std::exchange(place, inner)) {}
  ~Within() { place = outer_; }
  Within(const Within&) = delete;

 private:
  Place outer_;
};

/// Ends the pass of a shard after another one's failure.
struct Stopped {};

}  // namespace

/// The pass of a shard, which begins a turn and ends one, however it ends.
class ShardTurns::Turn {
 public:
  Turn(const ShardTurns& turns, int shard) : turns_(turns), shard_(shard) { turns_.switch_shard(shard_); }
  ~Turn() { turns_.switch_shard(shard_); }
  Turn(const Turn&) = delete;

 private:
  const ShardTurns& turns_;
  int shard_;
};

ShardTurns::ShardTurns(Ranks ranks, int shards, Device device, AtSwitch at_switch)
    : ranks_(std::move(ranks)),
      shards_(shards),
      mine_((shards - ranks_.rank + ranks_.ranks - 1) / ranks_.ranks),
      device_(device),
      at_switch_(std::move(at_switch)),
      ended_(static_cast<std::size_t>(mine_), 1),
      said_(static_cast<std::size_t>(mine_)) {
  if (mine_ == 1) return;
  for (int i = 0; i < mine_; ++i) threads_.emplace_back([this, i] { serve(i); });
}

ShardTurns::~ShardTurns() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

void ShardTurns::run(Statistics statistics, const std::function<void(int)>& work) {
  statistics_ = statistics;
  work_ = &work;
  if (mine_ == 1) {
    const Within within({this, 0});
    const Turn turn(*this, 0);
    work(0);
    return;
  }
  stream_ = DIOPTER_DISPATCH(device_, current_stream);
  failure_ = nullptr;
  std::fill(ended_.begin(), ended_.end(), 0);
  std::unique_lock lock(mutex_);
  turn_ = 0;
  changed_.notify_all();
  changed_.wait(lock, [&] { return turn_ == kNobody; });
  if (failure_) std::rethrow_exception(std::exchange(failure_, nullptr));
}

void ShardTurns::serve(int i) {
  const Within within({this, i});
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [&] { return turn_ == i || closing_; });
      if (closing_) return;
    }
    work_on(i);
    ended_[i] = 1;
    pass_turn(i);
  }
}

void ShardTurns::work_on(int i) {
  if (failure_) return;
  try {
    const auto stream = DIOPTER_DISPATCH(device_, borrow_stream, stream_);
    const Turn turn(*this, i);
    (*work_)(i);
  } catch (const Stopped&) {
  } catch (...) {
    failure_ = std::current_exception();
  }
}

void ShardTurns::switch_shard(int i) const {
  if (at_switch_) at_switch_(i);
}

void ShardTurns::pass_turn(int i) {
  int next = kNobody;
  for (int step = 1; step <= mine_ && next == kNobody; ++step) {
    if (!ended_[(i + step) % mine_]) next = (i + step) % mine_;
  }
  const std::lock_guard lock(mutex_);
  turn_ = next;
  changed_.notify_all();
}

void ShardTurns::wait_for_turn(int i) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return turn_ == i; });
}

ShardTurns* ShardTurns::current() { return place.turns; }

bool ShardTurns::moves_statistics() const { return statistics_ == Statistics::moved && place.shard == 0; }

std::vector<std::string> ShardTurns::gather(const std::string& mine) {
  DIOPTER_CHECK(place.turns == this, "a shard's number is asked for outside of its pass");
  const int i = place.shard;
  said_[i] = mine;
  if (i + 1 == mine_) all_ = gather_from_ranks();
  if (mine_ > 1) {
    switch_shard(i);
    pass_turn(i);
    wait_for_turn(i);
    switch_shard(i);
    if (failure_) throw Stopped();
  }
  return all_;
}

std::vector<std::string> ShardTurns::gather_from_ranks() {
  std::string of_this_rank;
  for (const std::string& text : said_) of_this_rank += text;
  const std::vector<std::string> told = ranks_.gather(of_this_rank);
  const std::size_t size = said_[0].size();
  std::vector<std::string> in_order;
  for (int shard = 0; shard < shards_; ++shard) {
    in_order.push_back(told[shard % ranks_.ranks].substr(shard / ranks_.ranks * size, size));
  }
  return in_order;
}

}  // namespace diopter
