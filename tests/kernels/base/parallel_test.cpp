#include "kernels/base/parallel.h"

#include <atomic>
#include <mutex>
#include <set>
#include <utility>

#include "kernels/base/check.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

/// Runs f() with each of some thread counts, then restores the count of before.
template <class F>
void with_thread_counts(F f) {
  const int before = thread_count();
  for (int threads : {1, 2, 5}) {
    set_thread_count(threads);
    f();
  }
  set_thread_count(before);
}

TEST_CASE("parallel_for: covers every index once, in pieces that depend on n and grain only") {
  with_thread_counts([] {
    for (auto [n, grain] : {std::pair<std::int64_t, std::int64_t>{0, 4}, {-3, 4}, {1, 4}, {4, 4}, {5, 4}, {1000, 7}}) {
      std::mutex mutex;
      std::set<std::pair<std::int64_t, std::int64_t>> pieces, expected;
      parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
        const std::lock_guard lock(mutex);
        CHECK(pieces.emplace(begin, end).second);
      });
      for (std::int64_t begin = 0; begin < n; begin += grain) expected.emplace(begin, std::min(begin + grain, n));
      CHECK(pieces == expected);
    }
  });
}

TEST_CASE("parallel_sum: the same bits for any number of threads, added in order") {
  // 1/i summed in pieces of 100: rounding depends on the order.
  const auto piece = [](std::int64_t begin, std::int64_t end) {
    float sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += 1.0f / static_cast<float>(i + 1);
    return sum;
  };
  float expected = 0;
  for (std::int64_t begin = 0; begin < 123456; begin += 100)
    expected += piece(begin, std::min<std::int64_t>(begin + 100, 123456));
  with_thread_counts([&] { CHECK(parallel_sum<float>(123456, 100, piece) == expected); });
  CHECK(parallel_sum<float>(0, 100, piece) == 0.0f);
}

TEST_CASE("parallel_for: an exception of a body is rethrown, and the next loop runs") {
  with_thread_counts([] {
    CHECK_THROWS_AS(parallel_for(100, 1,
                                 [](std::int64_t begin, std::int64_t) {
                                   if (begin == 57) throw Error("piece 57");
                                 }),
                    Error);
    std::atomic<int> count = 0;
    parallel_for(100, 1, [&](std::int64_t, std::int64_t) { ++count; });
    CHECK(count == 100);
  });
}

TEST_CASE("parallel_for: loops inside loops") {
  with_thread_counts([] {
    std::atomic<int> count = 0;
    parallel_for(10, 1, [&](std::int64_t, std::int64_t) {
      parallel_for(10, 3, [&](std::int64_t begin, std::int64_t end) { count += static_cast<int>(end - begin); });
    });
    CHECK(count == 100);
  });
}

TEST_CASE("set_thread_count: at least 1") {
  const int before = thread_count();
  CHECK(before >= 1);
  CHECK_THROWS_AS(set_thread_count(0), Error);
  set_thread_count(3);
  CHECK(thread_count() == 3);
  set_thread_count(before);
  CHECK(thread_count() == before);
}

}  // namespace
}  // namespace diopter
