#include "engine/flat_slices.h"

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("slices of all ranks are the buffer, once, and as equal as whole runs let them be") {
  struct Case {
    std::int64_t size, rest;
  };
  for (const Case& c :
       {Case{0, 0}, Case{1, 1}, Case{1023, 900}, Case{1025, 1025}, Case{240004, 238000}, Case{36400000, 36300001}}) {
    for (const int ranks : {1, 2, 3, 7, 64}) {
      INFO(c.size << " floats, " << ranks << " ranks");
      std::int64_t end = 0, owned = 0;
      std::vector<std::int64_t> of_rank(static_cast<std::size_t>(ranks));
      const FlatSlices slices(c.size, c.rest, {0, ranks});
      for (std::size_t bucket = 0; bucket < slices.buckets().size(); ++bucket) {
        CHECK(slices.buckets()[bucket].begin == end);
        CHECK((ranks == 1 || slices.buckets()[bucket].size() * std::int64_t{4} <= FlatSlices::kMostBytes));
        for (int r = 0; r < ranks; ++r) {
          const FlatRange slice = slices.slice(bucket, r);
          CHECK(slice.begin == end);
          CHECK((slice.size() == 0 || slice.begin % FlatSlices::kRun == 0));
          end = slice.end;
          of_rank[r] += slice.size();
        }
        CHECK(slices.buckets()[bucket].end == end);
      }
      CHECK(end == c.size);
      const std::int64_t most = static_cast<std::int64_t>(slices.buckets().size()) * FlatSlices::kRun;
      for (int r = 0; r < ranks; ++r) {
        const FlatSlices mine(c.size, c.rest, {r, ranks});
        CHECK(mine.owned_size() == of_rank[r]);
        CHECK(std::abs(of_rank[r] - c.size / ranks) <= most);
        owned += mine.owned_size();
      }
      CHECK(owned == c.size);
    }
  }
}

TEST_CASE("ranks take turns at buckets that are too short for all") {
  const std::int64_t size = FlatSlices::kRun * FlatSlices::kBuckets;  // buckets of a run
  for (int r = 0; r < 4; ++r) CHECK(FlatSlices(size, size, {r, 4}).owned_size() == size / 4);
}

TEST_CASE("the small rest is a bucket of its own") {
  const FlatSlices slices(100000, 90000, {0, 2});
  REQUIRE(slices.buckets().size() == FlatSlices::kBuckets + 1);
  CHECK(slices.buckets().back().begin == 90000 / FlatSlices::kRun * FlatSlices::kRun);
  CHECK(FlatSlices(100000, 90000, {0, 1}).buckets().size() == 1);
}

TEST_CASE("the last weights leave first, and the rest last") {
  CHECK(FlatSlices(100000, 90000, {1, 2}).order_of_leaving() == std::vector<std::size_t>{7, 6, 5, 4, 3, 2, 1, 0, 8});
  CHECK(FlatSlices(100000, 90000, {0, 1}).order_of_leaving() == std::vector<std::size_t>{0});
  CHECK(FlatSlices(100, 0, {0, 2}).order_of_leaving() == std::vector<std::size_t>{0});
}
