// Batches that worker threads make ahead, and what these threads do in turn.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <exception>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "data/batch.h"

namespace diopter {

/// Makes batches number first, first + 1, ... end - 1 ahead on worker threads and hands them out in that order.
class Prefetch {
 public:
  /// Makes one batch; may return early, with anything, once a stop is requested. Called from several threads at once.
  using Make = std::function<Batch(std::int64_t number, const std::stop_token& stop)>;

  Prefetch(int workers, std::int64_t first, std::int64_t end, Make make)
      : make_(std::move(make)), end_(end), claimed_(first), next_(first), slots_(workers > 0 ? workers + 1 : 0) {
    for (int i = 0; i < workers; ++i) workers_.emplace_back([this](const std::stop_token& stop) { work(stop); });
  }

  ~Prefetch() {
    for (std::jthread& worker : workers_) worker.request_stop();  // all of them before the first is waited for
  }

  bool finished() const { return next_ == end_; }

  /// The next batch, or the exception that making it threw.
  Batch next() {
    if (slots_.empty()) return make_(next_++, std::stop_token());
    std::unique_lock lock(mutex_);
    Slot& slot = slots_[next_ % slots_.size()];
    changed_.wait(lock, [&] { return slot.ready; });
    Slot taken = std::exchange(slot, Slot());
    ++next_;
    lock.unlock();
    changed_.notify_all();
    if (taken.error) std::rethrow_exception(taken.error);
    return std::move(taken.batch);
  }

 private:
  struct Slot {
    bool ready = false;
    Batch batch;
    std::exception_ptr error;
  };

  void work(const std::stop_token& stop) {
    const auto room = [&] { return claimed_ == end_ || claimed_ < next_ + static_cast<std::int64_t>(slots_.size()); };
    std::unique_lock lock(mutex_);
    while (changed_.wait(lock, stop, room) && claimed_ != end_ && !stop.stop_requested()) {
      const std::int64_t number = claimed_++;
      lock.unlock();
      Slot made{.ready = true, .batch = {}, .error = nullptr};
      try {
        made.batch = make_(number, stop);
      } catch (...) {
        made.error = std::current_exception();
      }
      lock.lock();
      slots_[number % slots_.size()] = std::move(made);
      changed_.notify_all();
    }
  }

  const Make make_;
  const std::int64_t end_;
  std::mutex mutex_;
  std::condition_variable_any changed_;  // a batch was made or taken
  std::int64_t claimed_, next_;          // next number to be made and to be handed out
  std::vector<Slot> slots_;              // batch i lies in slot i % size; none without workers
  std::vector<std::jthread> workers_;    // last, so that they end first
};

/// Lets work pass in the order of its numbers.
class Turnstile {
 public:
  /// Waits for the turn of `number`; false when a stop was requested.
  bool wait(std::int64_t number, const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    return changed_.wait(lock, stop, [&] { return next_ == number; });
  }
  void pass() {
    {
      const std::lock_guard lock(mutex_);
      ++next_;
    }
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::int64_t next_ = 0;
};

}  // namespace diopter
