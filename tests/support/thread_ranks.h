// Ranks that are threads of the test and exchange through its memory: a stand-in for MPI.
#pragma once

#include <algorithm>
#include <barrier>
#include <exception>
#include <functional>
#include <limits>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "engine/distributed/communicator.h"

namespace diopter::test {

class ThreadRanks {
 public:
  explicit ThreadRanks(int ranks) : said_(ranks), pointers_(ranks), counts_(ranks), barrier_(ranks) {}

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
          }
          barrier_.arrive_and_drop();  // nobody waits for it any more
        });
      }
    }
    if (failure_) std::rethrow_exception(failure_);
  }

  /// Bytes that rank 0 sent to others in all_to_all and gather_slices.
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
    void all_to_all(const float* send, const std::vector<std::int64_t>& send_counts, float* receive,
                    const std::vector<std::int64_t>& receive_counts) override {
      all_.pointers_[rank_] = send;
      all_.counts_[rank_] = send_counts;
      meet();
      for (int from = 0; from < ranks(); ++from) {
        const float* values = all_.pointers_[from];
        for (int r = 0; r < rank_; ++r) values += all_.counts_[from][r];
        receive = std::copy_n(values, receive_counts[from], receive);
      }
      for (int r = 1; rank_ == 0 && r < ranks(); ++r) all_.sent_ += 4 * send_counts[r];
      meet();
    }
    void gather_slices(float* values, const std::vector<std::int64_t>& counts) override {
      all_.pointers_[rank_] = values;
      meet();
      std::int64_t begin = 0;
      for (int from = 0; from < ranks(); begin += counts[from++]) {
        if (from != rank_) std::copy_n(all_.pointers_[from] + begin, counts[from], values + begin);
      }
      if (rank_ == 0) all_.sent_ += 4 * counts[0] * (ranks() - 1);
      meet();
    }
    std::int64_t bytes_sent() const override { return all_.sent_; }
    int met() const { return met_; }

   private:
    /// Waits for the other ranks; throws when one has ended.
    void meet() {
      all_.barrier_.arrive_and_wait();
      const std::lock_guard lock(all_.mutex_);
      if (++met_ > all_.failed_after_) throw Error("another rank has failed");
    }

    ThreadRanks& all_;
    int rank_, met_ = 0;  // how often the ranks have met
  };

  std::vector<std::string> said_;
  std::vector<const float*> pointers_;
  std::vector<std::vector<std::int64_t>> counts_;
  std::barrier<> barrier_;
  std::mutex mutex_;
  std::exception_ptr failure_;                          // the first
  int failed_after_ = std::numeric_limits<int>::max();  // meetings that the first rank to fail took part in
  std::int64_t sent_ = 0;
};

}  // namespace diopter::test
