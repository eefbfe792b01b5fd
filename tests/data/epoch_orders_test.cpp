#include "data/epoch_orders.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("each epoch has a permutation of its own, the same whenever it is asked for") {
  EpochOrders orders(3, 50), others(4, 50);
  std::set<std::vector<int>> different;
  std::vector<int> all(50);
  std::iota(all.begin(), all.end(), 0);
  for (std::int64_t epoch = 0; epoch < 20; ++epoch) {
    const std::vector<int> order = *orders.of(epoch);
    CHECK(std::is_permutation(order.begin(), order.end(), all.begin(), all.end()));
    CHECK(*orders.of(epoch) == order);
    CHECK(*others.of(epoch) != order);
    different.insert(order);
  }
  CHECK(different.size() == 20);
  CHECK(different.count(*orders.of(0)) == 1);  // long forgotten, made again
}

TEST_CASE("permutations of past epochs are not kept") {
  EpochOrders orders(3, 50);
  for (std::int64_t epoch = 0; epoch < 30; ++epoch) {
    const auto order = orders.of(epoch);
    CHECK(orders.kept() == std::min<std::size_t>(epoch + 1, EpochOrders::kMost));
  }
  CHECK(orders.of(3)->size() == 50);
  CHECK(orders.kept() <= EpochOrders::kMost);
}

TEST_CASE("there is nothing to order without pictures") { CHECK(EpochOrders(1, 0).of(7)->empty()); }
