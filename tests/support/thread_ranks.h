// Ranks that are threads of the test and exchange through its memory: a stand-in for MPI, and for NCCL.
#pragma once

#include <algorithm>
#include <barrier>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <exception>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/distributed/communicator.h"
#include "engine/distributed/device_messages.h"
#include "tests/support/devices.h"
#include "tests/support/nccl_stand_in.h"

namespace diopter::test {

class ThreadRanks {
 public:
  explicit ThreadRanks(int ranks) : said_(ranks), barrier_(ranks) {}

  /// Calls work(rank) on a thread for each rank, and throws what the first of them threw. No checks of Catch in `work`:
  /// they are for one thread.
  void run(const std::function<void(Communicator&)>& work) {
    {
      std::vector<std::jthread> threads;
      for (int r = 0; r < ranks(); ++r) {
        threads.emplace_back([&, r] {
          Rank rank(*this, r);
          try {
            work(rank);
          } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!failure_) failure_ = std::current_exception();
            failed_after_ = std::min(failed_after_, rank.met());
            arrived_.notify_all();
          }
          barrier_.arrive_and_drop();  // nobody waits for it any more
        });
      }
    }
    if (failure_) std::rethrow_exception(failure_);
  }

  /// Bytes of the messages that all ranks sent to others.
  std::int64_t sent() const { return sent_; }

 private:
  int ranks() const { return static_cast<int>(said_.size()); }

  class Rank final : public Communicator {
   public:
    Rank(ThreadRanks& all, int rank) : all_(all), rank_(rank) {}
    int rank() const override { return rank_; }
    int ranks() const override { return all_.ranks(); }
    std::vector<std::string> gather(const std::string& mine) override {
      all_.said_[rank_] = mine;
      meet();
      std::vector<std::string> said = all_.said_;
      meet();
      return said;
    }
    void begin_send(int to, int tag, const void* bytes, std::int64_t count) override {
      const std::lock_guard lock(all_.mutex_);
      all_.letters_[{rank_, to, tag}].emplace_back(static_cast<const char*>(bytes), static_cast<std::size_t>(count));
      sent_ += count;
      all_.sent_ += count;
      all_.arrived_.notify_all();
    }
    void begin_receive(int from, int tag, void* bytes, std::int64_t count) override {
      expected_.push_back({from, tag, bytes, static_cast<std::size_t>(count)});
    }
    std::int64_t progress() override {
      const std::lock_guard lock(all_.mutex_);
      return take();
    }
    void complete() override {
      std::unique_lock lock(all_.mutex_);
      all_.arrived_.wait(lock, [&] { return take() == 0 || all_.failure_; });
      if (!expected_.empty()) throw Error("another rank has failed");
    }
    std::int64_t bytes_sent() const override { return sent_; }
    std::unique_ptr<Messages> connect_devices() override {
      return has_cuda() ? diopter::connect_devices(*this, &nccl_stand_in()) : nullptr;
    }
    int met() const { return met_; }

   private:
    /// Waits for the other ranks; throws when one has ended.
    void meet() {
      all_.barrier_.arrive_and_wait();
      const std::lock_guard lock(all_.mutex_);
      if (++met_ > all_.failed_after_) throw Error("another rank has failed");
    }

    struct Expected {
      int from, tag;
      void* bytes;
      std::size_t count;
    };
    /// Takes what has arrived; returns the bytes that have not. Under the lock.
    std::int64_t take() {
      std::int64_t missing = 0;
      std::vector<Expected> left;
      for (const Expected& expected : expected_) {
        std::deque<std::string>& letters = all_.letters_[{expected.from, rank_, expected.tag}];
        if (letters.empty()) {
          left.push_back(expected);
          missing += static_cast<std::int64_t>(expected.count);
          continue;
        }
        if (letters.front().size() != expected.count) throw Error("a message of another length than is expected");
        std::memcpy(expected.bytes, letters.front().data(), expected.count);
        letters.pop_front();
      }
      expected_ = left;
      return missing;
    }

    ThreadRanks& all_;
    int rank_, met_ = 0;  // how often the ranks have met
    std::vector<Expected> expected_;
    std::int64_t sent_ = 0;
  };

  std::vector<std::string> said_;
  std::map<std::tuple<int, int, int>, std::deque<std::string>> letters_;  // by sender, receiver, tag
  std::condition_variable arrived_;
  std::barrier<> barrier_;
  std::mutex mutex_;
  std::exception_ptr failure_;                          // the first
  int failed_after_ = std::numeric_limits<int>::max();  // meetings that the first rank to fail took part in
  std::int64_t sent_ = 0;                               // under the lock
};

}  // namespace diopter::test
