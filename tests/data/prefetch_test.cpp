#include "data/prefetch.h"

#include <atomic>
#include <chrono>
#include <thread>

#include "kernels/base/check.h"
#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("each worker makes a batch ahead, and there is one more") {
  std::atomic<int> made{0};
  Prefetch batches(2, 0, 100, [&](std::int64_t, const std::stop_token&) {
    ++made;
    return Batch{};
  });
  const auto wait_for = [&](int count) {
    for (int i = 0; i < 5000 && made < count; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    std::this_thread::sleep_for(std::chrono::milliseconds(5));  // for one too many
    return made.load();
  };
  CHECK(wait_for(3) == 3);
  batches.next();
  CHECK(wait_for(4) == 4);
}

TEST_CASE("without workers a batch is made when it is asked for") {
  int made = 0;
  Prefetch batches(0, 5, 7, [&](std::int64_t number, const std::stop_token&) {
    made = static_cast<int>(number);
    return Batch{};
  });
  CHECK(made == 0);
  batches.next();
  CHECK(made == 5);
  CHECK_FALSE(batches.finished());
  batches.next();
  CHECK(made == 6);
  CHECK(batches.finished());
}

TEST_CASE("what making a batch throws comes in its turn") {
  Prefetch batches(2, 0, 3, [](std::int64_t number, const std::stop_token&) {
    DIOPTER_CHECK(number != 1, "batch ", number);
    return Batch{};
  });
  CHECK_NOTHROW(batches.next());
  CHECK_THROWS_WITH(batches.next(), "batch 1");
  CHECK_NOTHROW(batches.next());
  CHECK(batches.finished());
}
