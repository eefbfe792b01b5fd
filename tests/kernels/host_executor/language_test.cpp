// Guarantees that kernels may rely on, on a GPU and on the host executor alike.
#include <cmath>
#include <numeric>

#include "kernels/device/stream.h"
#include "tests/kernels/host_executor/language_kernels.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace diopter::test {

namespace {

/// Whether the test has to be skipped, because the program is built for a GPU and there is none.
bool no_device() {
  const std::string problem = cuda::device_problem();
  if (!problem.empty()) skip(problem);
  return !problem.empty();
}

std::vector<int> counting(std::size_t n) {
  std::vector<int> numbers(n);
  std::iota(numbers.begin(), numbers.end(), 0);
  return numbers;
}

}  // namespace

TEST_CASE("cuda language: every thread of a grid runs once, with its own indices") {
  if (no_device()) return;
  for (const auto& [grid, block] : std::vector<std::pair<Size3, Size3>>{
           {{1}, {1}}, {{3}, {33}}, {{2, 3, 4}, {5, 6, 7}}, {{70000}, {32}}, {{1, 300, 2}, {1, 1, 64}}}) {
    CHECK(thread_indices(grid, block) == counting(std::size_t{grid.count()} * block.count()));
  }
}

TEST_CASE("cuda language: grid_stride visits every index once, and none behind them") {
  if (no_device()) return;
  for (const std::int64_t n : {1, 63, 64, 65, 1000, 100000}) {
    for (const unsigned blocks : {1u, 3u, 200u}) {
      std::vector<int> once(static_cast<std::size_t>(n), 1);
      once.push_back(0);
      CHECK(grid_stride_visits(n, blocks) == once);
    }
  }
}

TEST_CASE("cuda language: barriers count, and, or") {
  if (no_device()) return;
  for (const unsigned threads : {1u, 31u, 32u, 33u, 257u, 1024u}) {
    for (const int limit : {0, 1, 20, 1024}) {
      const int below = std::min(static_cast<int>(threads), limit);
      const std::vector<int> votes = barrier_votes(threads, limit);
      for (unsigned i = 0; i < threads; ++i) {
        REQUIRE(votes[3 * i] == below);
        REQUIRE((votes[3 * i + 1] != 0) == (below == static_cast<int>(threads)));
        REQUIRE((votes[3 * i + 2] != 0) == (below > 0));
      }
    }
  }
}

TEST_CASE("cuda language: shared memory between barriers") {
  if (no_device()) return;
  for (const unsigned threads : {2u, 32u, 100u, 1024u}) {
    const std::vector<int> rotated = rotated_through_shared(threads, 7);
    for (unsigned i = 0; i < threads; ++i) REQUIRE(rotated[i] == static_cast<int>((i + 7) % threads));
  }
}

TEST_CASE("cuda language: shuffles within segments") {
  if (no_device()) return;
  for (const int width : {2, 8, 16, 32}) {
    for (const int argument : {0, 1, 3, 7, 31}) {
      const std::vector<int> direct = shuffled(Shuffle::direct, argument, width);
      const std::vector<int> up = shuffled(Shuffle::up, argument, width);
      const std::vector<int> down = shuffled(Shuffle::down, argument, width);
      const std::vector<int> exclusive = shuffled(Shuffle::exclusive, argument, width);
      for (int i = 0; i < 64; ++i) {
        INFO("lane " << i << ", width " << width << ", argument " << argument);
        const int in_segment = i % width, begin = i - in_segment;
        const auto at = static_cast<std::size_t>(i);
        REQUIRE(direct[at] == 10 * (begin + argument % width));
        REQUIRE(up[at] == 10 * (in_segment >= argument ? i - argument : i));
        REQUIRE(down[at] == 10 * (in_segment + argument < width ? i + argument : i));
        const int partner = i / 32 * 32 + ((i % 32) ^ argument);
        REQUIRE(exclusive[at] == 10 * (partner < begin + width ? partner : i));
      }
    }
  }
  const std::vector<double> doubles = shuffled_double(5);
  for (int i = 0; i < 32; ++i) REQUIRE(doubles[static_cast<std::size_t>(i)] == 1e10 * (i + 5 < 32 ? i + 5 : i));
}

TEST_CASE("cuda language: votes of a warp") {
  if (no_device()) return;
  for (const unsigned set : {0u, 1u, 0x80000000u, 0x00ff00ffu, 0xffffffffu}) {
    const std::vector<unsigned> result = votes(set);
    for (unsigned lane = 0; lane < 32; ++lane) {
      REQUIRE(result[5 * lane] == set);
      REQUIRE(result[5 * lane + 1] == (set != 0));
      REQUIRE(result[5 * lane + 2] == (set == 0xffffffffu));
      REQUIRE(result[5 * lane + 3] == (lane % 3 == 2 ? 10u : 11u));
      REQUIRE((result[5 * lane + 4] >> lane & 1) == 1);
    }
  }
}

TEST_CASE("cuda language: reductions of a warp") {
  if (no_device()) return;
  for (const unsigned mask : {0xffffffffu, 0x1u, 0x0000fff0u, 0x80000001u}) {
    int sum = 0, least = 100, most = -100;
    unsigned unsigned_sum = 0, conjunction = ~0u, disjunction = 0, exclusive = 0;
    for (int lane = 0; lane < 32; ++lane) {
      if (!(mask >> lane & 1)) continue;
      sum += lane - 10;
      least = std::min(least, lane - 10);
      most = std::max(most, lane - 10);
      const unsigned value = static_cast<unsigned>(lane) + 1;
      unsigned_sum += value;
      conjunction &= value;
      disjunction |= value;
      exclusive ^= value;
    }
    CHECK(warp_reductions(mask) == std::vector<int>{sum, least, most, static_cast<int>(unsigned_sum), least + 11,
                                                    most + 11, static_cast<int>(conjunction),
                                                    static_cast<int>(disjunction), static_cast<int>(exclusive)});
  }
}

TEST_CASE("cuda language: atomic operations") {
  if (no_device()) return;
  int exclusive = 0;
  for (int i = 0; i < 1000; ++i) exclusive ^= i;
  CHECK(atomics() == std::vector<int>{499500, 500, -999, 999, 0, 0xff, exclusive, 1000 % 300, 1});
}

TEST_CASE("cuda language: reductions and scans of a block") {
  if (no_device()) return;
  for (const unsigned threads : {32u, 96u, 256u, 1024u}) {
    std::vector<int> values(threads);
    for (unsigned i = 0; i < threads; ++i) values[i] = static_cast<int>(i * 7919 % 101) - 50;
    const std::vector<int> result = block_reductions(threads, values);
    const int sum = std::accumulate(values.begin(), values.end(), 0);
    int before = 0;
    for (unsigned i = 0; i < threads; ++i) {
      REQUIRE(result[5 * i] == sum);
      REQUIRE(result[5 * i + 1] == *std::max_element(values.begin(), values.end()));
      REQUIRE(result[5 * i + 2] == *std::min_element(values.begin(), values.end()));
      REQUIRE(result[5 * i + 3] == before);
      REQUIRE(result[5 * i + 4] == sum);
      before += values[i];
    }
  }
}

TEST_CASE("cuda language: float sums are right, and the same every time") {
  if (no_device()) return;
  const std::vector<float> values = uniform(10000, -1.0f, 2.0f, 3);
  const double expected = std::accumulate(values.begin(), values.end(), 0.0);
  const float sum = block_sum_of(values);
  CHECK(std::fabs(sum - expected) < Tolerance::sum * expected);
  for (int i = 0; i < 3; ++i) CHECK(block_sum_of(values) == sum);
  std::vector<double> doubles(32);
  for (int i = 0; i < 32; ++i) doubles[static_cast<std::size_t>(i)] = i + 1e-9;
  CHECK(warp_sum_of(doubles) == Approx(496 + 32e-9).epsilon(1e-15));
}

TEST_CASE("cuda language: 16-byte loads and stores, and rounding to bf16") {
  if (no_device()) return;
  const std::vector<float> values = uniform(1000, -3.0f, 3.0f, 4);
  std::vector<float> expected;
  std::vector<bf16> narrow, expected_narrow;
  for (const float v : values) {
    expected.push_back(2.0f * v);
    narrow.emplace_back(v);
    expected_narrow.emplace_back(2.0f * static_cast<float>(narrow.back()));
  }
  CHECK(doubled(values) == expected);
  const std::vector<bf16> result = doubled(narrow), rounded_values = rounded(values);
  for (std::size_t i = 0; i < values.size(); ++i) {
    REQUIRE(result[i].bits == expected_narrow[i].bits);
    REQUIRE(rounded_values[i].bits == narrow[i].bits);
  }
}

TEST_CASE("cuda language: dynamic shared memory, also above 48 KiB, by itself or with __shared__ variables") {
  if (no_device()) return;
  for (const int n : {1, 100, 11 << 10, 12 << 10, 20 << 10}) CHECK(sum_through_shared(n) == n * (n - 1) / 2);
}

TEST_CASE("cuda language: bit operations") {
  if (no_device()) return;
  CHECK(bit_intrinsics(0x00f00001u) == std::vector<unsigned>{5, 8, 1, 0x80000f00u, 0xf0u});
  CHECK(bit_intrinsics(0u) == std::vector<unsigned>{0, 32, 0, 0, 0});
}

}  // namespace diopter::test
