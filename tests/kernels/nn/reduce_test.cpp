#include "kernels/nn/reduce.h"

#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

constexpr int kSizes[] = {0, 1, 7, 8, 31, 32, 33, 255, 256, 257, 70001, 200000};

TEMPLATE_TEST_CASE("reduce: sum equals a plain loop in double", "", float, bf16) {
  for (int n : kSizes) {
    const auto x = random_array<TestType>(n, 1);
    double expected = 0;
    for (TestType v : x) expected += float(v);
    std::vector<float> result{kNan};
    cpu::sum(n, x.data(), result.data());
    require_close(result, std::vector<double>{expected}, Tolerance::sum);
  }
}

TEMPLATE_TEST_CASE("reduce: column sums equal plain loops in double", "", float, bf16) {
  for (int channels : {1, 3, 32, 257}) {
    for (int rows : {0, 1, 31, 257, 3000, 40000}) {
      if (rows * channels > 2000000) continue;
      INFO(rows << " rows, " << channels << " channels");
      const auto x = random_array<TestType>(std::size_t(rows) * channels, 2);
      std::vector<double> expected(channels);
      for (std::size_t i = 0; i < x.size(); ++i) expected[i % channels] += float(x[i]);
      auto result = garbage(channels);
      cpu::column_sum(rows, channels, x.data(), result.data());
      require_close(result, expected, Tolerance::sum);
    }
  }
}

TEST_CASE("reduce: squared norm is added in double") {
  for (int n : kSizes) {
    const auto x = random_array(n, 3);
    double expected = 0;
    for (float v : x) expected += static_cast<double>(v) * v;
    std::vector<float> result{kNan};
    cpu::squared_norm(n, x.data(), result.data());
    require_close(result, std::vector<double>{expected}, Tolerance::elementwise);
  }
  // Added in float, every 1 would vanish beside 1e8.
  std::vector<float> x(100001, 1.0f), result(1);
  x[0] = 1e4f;
  cpu::squared_norm(100001, x.data(), result.data());
  CHECK(result[0] == 100100000.0f);
}

TEMPLATE_TEST_CASE("reduce: non-finite values are counted wherever they are", "", float, bf16) {
  const float infinity = std::numeric_limits<float>::infinity();
  for (int n : kSizes) {
    auto x = random_array<TestType>(n, 4);
    std::int32_t result = -1, expected = 0;
    cpu::count_non_finite(n, x.data(), &result);
    CHECK(result == 0);
    for (int i = 0; i < n; i += 13, ++expected) x[i] = TestType(i % 3 == 0 ? kNan : i % 3 == 1 ? infinity : -infinity);
    cpu::count_non_finite(n, x.data(), &result);
    CHECK(result == expected);
  }
  const std::vector<TestType> largest{TestType(3e38f), TestType(-3e38f), TestType(1e-45f), TestType(0.0f)};
  std::int32_t result = -1;
  cpu::count_non_finite(4, largest.data(), &result);
  CHECK(result == 0);
}

TEST_CASE("reduce: bits do not depend on the number of threads") {
  const auto x = random_array(200000, 5);
  require_same_bits_for_any_thread_count([&] {
    std::vector<float> result(2);
    cpu::sum(200000, x.data(), result.data());
    cpu::squared_norm(200000, x.data(), result.data() + 1);
    return result;
  });
  require_same_bits_for_any_thread_count([&] {
    auto result = garbage(20);
    cpu::column_sum(10000, 20, x.data(), result.data());
    return result;
  });
}

}  // namespace
}  // namespace diopter
