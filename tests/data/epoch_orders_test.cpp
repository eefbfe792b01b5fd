#include "data/epoch_orders.h"

#include <algorithm>
#include <cmath>
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

TEST_CASE("with repeat factors a picture comes floor(r) times, and once more with the rest as probability") {
  const std::vector<double> repeats{1, 1.25, 2.5, 3, 1};
  EpochOrders orders(3, 5, repeats), others(4, 5, repeats);
  constexpr int kEpochs = 4000;
  std::vector<double> mean(5);
  std::int64_t items = 0;
  bool differs = false;
  for (std::int64_t epoch = 0; epoch < kEpochs; ++epoch) {
    const std::vector<int> order = *orders.of(epoch);
    CHECK(orders.place(items).epoch == epoch);
    CHECK(orders.place(items).position == 0);
    items += std::ssize(order);
    CHECK(orders.place(items - 1).epoch == epoch);
    CHECK(orders.place(items - 1).position == std::ssize(order) - 1);
    differs = differs || order != *others.of(epoch);
    for (int picture = 0; picture < 5; ++picture) {
      const double times = static_cast<double>(std::count(order.begin(), order.end(), picture));
      const bool near = times == std::floor(repeats[picture]) || times == std::ceil(repeats[picture]);
      REQUIRE(near);
      mean[picture] += times / kEpochs;
    }
  }
  CHECK(differs);
  for (int picture = 0; picture < 5; ++picture) CHECK(std::fabs(mean[picture] - repeats[picture]) < 0.03);
  EpochOrders fresh(3, 5, repeats);  // entered in the middle, as by a run that is resumed
  CHECK(fresh.place(5000).epoch == orders.place(5000).epoch);
  CHECK(fresh.place(5000).position == orders.place(5000).position);
  CHECK(*fresh.of(fresh.place(5000).epoch) == *orders.of(orders.place(5000).epoch));
  CHECK(fresh.place(17).epoch == orders.place(17).epoch);
}

TEST_CASE("there is nothing to order without pictures") { CHECK(EpochOrders(1, 0).of(7)->empty()); }
