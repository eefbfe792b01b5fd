#include "data/readers/id_index.h"

#include <limits>

#include "tests/support/catch.h"

namespace diopter {
namespace {

TEST_CASE("Ids are found in tables and by their hashes", "[id_index]") {
  constexpr std::int64_t kLeast = std::numeric_limits<std::int64_t>::min(),
                         kMost = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> lists[] = {{},
                                             {7},
                                             {3, 1, 2, 1},
                                             {-5, -3, -5},
                                             {0, 3'000'000'000, -1, 3'000'000'000},
                                             {kLeast, kMost, 0},
                                             {kMost, kMost - 2}};
  for (const std::vector<std::int64_t>& ids : lists) {
    const IdIndex index(ids);
    for (const std::int64_t id :
         {kLeast, kLeast + 1, std::int64_t{-6}, std::int64_t{-5}, std::int64_t{-4}, std::int64_t{-1}, std::int64_t{0},
          std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}, std::int64_t{7},
          std::int64_t{3'000'000'000}, kMost - 2, kMost - 1, kMost}) {
      const auto found = std::find(ids.begin(), ids.end(), id);
      CHECK(find_id(index, id) == (found == ids.end() ? -1 : static_cast<int>(found - ids.begin())));
    }
  }
}

TEST_CASE("A set of ids grows", "[id_index]") {
  IdSet set;
  for (std::int64_t i = 0; i < 1000; ++i) CHECK(set.insert(i * 1'000'003 - 500));
  for (std::int64_t i = 0; i < 1000; ++i) CHECK_FALSE(set.insert(i * 1'000'003 - 500));
  CHECK(set.insert(1));
}

}  // namespace
}  // namespace diopter
