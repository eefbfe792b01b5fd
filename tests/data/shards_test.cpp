#include "data/shards.h"

#include <set>

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("every shard of every batch belongs to one process, each of which has them in their order") {
  constexpr int kBatches = 3;
  for (int shards = 1; shards <= 7; ++shards) {
    for (int ranks = 1; ranks <= shards; ++ranks) {
      INFO(shards << " shards, " << ranks << " ranks");
      std::set<std::int64_t> all;
      int most = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        const ShardRule rule{shards, rank, ranks};
        std::int64_t before = -1;
        for (std::int64_t i = 0; i < std::int64_t{kBatches} * rule.mine(); ++i) {
          const std::int64_t number = rule.number(i);
          CHECK(number > before);
          CHECK(number / shards == i / rule.mine());  // the batch
          CHECK(number % shards % ranks == rank);
          all.insert(number);
          before = number;
        }
        most = std::max(most, rule.mine());
      }
      CHECK(std::ssize(all) == kBatches * shards);
      CHECK(*all.begin() == 0);
      CHECK(*all.rbegin() == kBatches * shards - 1);
      CHECK(ShardRule{shards, 0, ranks}.rounds() == most);
    }
  }
}
