#include "kernels/nn/reduce.h"

#include "kernels/plain/reduce.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

constexpr int kReduceSizes[] = {0, 1, 7, 8, 31, 32, 33, 255, 256, 257, 70001, 200000};

TEMPLATE_TEST_CASE("reduce: sum equals a plain loop in double", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  for (int n : kReduceSizes) {
    const auto x = random_array<TestType>(n, 1);
    std::vector<float> result{kNan};
    on(
        device, [&](auto& at) { DIOPTER_DISPATCH(device, sum, n, at(x), at(result)); }, n % 2);
    require_close(result, std::vector<double>{plain::sum(n, x.data())}, Tolerance::sum);
  }
}

TEMPLATE_TEST_CASE("reduce: column sums equal plain loops in double", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  for (int channels : {1, 3, 32, 257}) {
    for (int rows : {0, 1, 31, 257, 3000, 40000}) {
      if (rows * channels > 2000000) continue;
      INFO(rows << " rows, " << channels << " channels");
      const auto x = random_array<TestType>(std::size_t(rows) * channels, 2);
      std::vector<double> expected(channels);
      plain::column_sum(rows, channels, x.data(), expected.data());
      auto result = garbage(channels);
      on(device, [&](auto& at) { DIOPTER_DISPATCH(device, column_sum, rows, channels, at(x), at(result)); });
      require_close(result, expected, Tolerance::sum);
    }
  }
}

TEST_CASE("reduce: squared norm is added in double") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  for (int n : kReduceSizes) {
    const auto x = random_array(n, 3);
    std::vector<float> result{kNan};
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, squared_norm, n, at(x), at(result)); });
    require_close(result, std::vector<double>{plain::squared_norm(n, x.data())}, Tolerance::elementwise);
  }
  // Added in float, every 1 would vanish beside 1e8.
  std::vector<float> x(100001, 1.0f), result(1);
  x[0] = 1e4f;
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, squared_norm, 100001, at(x), at(result)); });
  CHECK(result[0] == 100100000.0f);
}

TEST_CASE("reduce: squared norms of runs, each in double and the same wherever the array begins") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  for (int run : {1, 7, 1024}) {
    for (int n : kReduceSizes) {
      if (n / run > 2000) continue;  // one block per run: the executor takes long for millions
      INFO(n << " values in runs of " << run);
      const auto x = random_array(n, 8);
      const int runs = (n + run - 1) / run;
      std::vector<double> expected(runs);
      plain::squared_norms(n, run, x.data(), expected.data());
      auto result = garbage(runs);
      on(device, [&](auto& at) { DIOPTER_DISPATCH(device, squared_norms, n, run, at(x), at(result)); });
      require_close(result, expected, Tolerance::elementwise);
      if (runs < 3) continue;
      const std::vector<float> behind(x.begin() + 2 * run, x.end());
      auto of_behind = garbage(runs - 2);
      on(device,
         [&](auto& at) { DIOPTER_DISPATCH(device, squared_norms, n - 2 * run, run, at(behind), at(of_behind)); });
      CHECK((of_behind == std::vector<float>(result.begin() + 2, result.end())));
    }
  }
  std::vector<float> x(2000, 1.0f), result(1);
  x[0] = 1e5f;  // squared, and added in float, it would hide every 1
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, squared_norms, 2000, 2000, at(x), at(result)); });
  CHECK(result[0] == static_cast<float>(1e10 + 1999));
}

TEMPLATE_TEST_CASE("reduce: non-finite values are counted wherever they are", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const float infinity = std::numeric_limits<float>::infinity();
  for (int n : kReduceSizes) {
    auto x = random_array<TestType>(n, 4);
    std::vector<std::int32_t> result{-1};
    const auto count = [&] {
      on(device, [&](auto& at) { DIOPTER_DISPATCH(device, count_non_finite, n, at(x), at(result)); });
      return result[0];
    };
    CHECK(count() == 0);
    for (int i = 0; i < n; i += 13) x[i] = TestType(i % 3 == 0 ? kNan : i % 3 == 1 ? infinity : -infinity);
    CHECK(count() == (n + 12) / 13);
    CHECK(count() == plain::count_non_finite(n, x.data()));
  }
  const std::vector<TestType> largest{TestType(3e38f), TestType(-3e38f), TestType(1e-45f), TestType(0.0f)};
  std::vector<std::int32_t> result{-1};
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, count_non_finite, 4, at(largest), at(result)); });
  CHECK(result[0] == 0);
}

TEST_CASE("reduce: dot product") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  for (int n : kReduceSizes) {
    const auto a = random_array(n, 6), b = random_array(n, 7);
    std::vector<float> result{kNan};
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, dot, n, at(a), at(b), at(result)); });
    require_close(result, std::vector<double>{plain::dot(n, a.data(), b.data())}, Tolerance::elementwise);
  }
}

TEST_CASE("reduce: the same bits each time") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const auto x = random_array(200000, 5);
  require_same_bits_each_time(device, [&] {
    std::vector<float> total{kNan}, norm{kNan}, norms = garbage(200);
    on(device, [&](auto& at) {
      DIOPTER_DISPATCH(device, sum, 200000, at(x), at(total));
      DIOPTER_DISPATCH(device, squared_norm, 200000, at(x), at(norm));
      DIOPTER_DISPATCH(device, squared_norms, 200000, 1000, at(x), at(norms));
    });
    norms.insert(norms.end(), {total[0], norm[0]});
    return norms;
  });
  require_same_bits_each_time(device, [&] {
    auto result = garbage(20);
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, column_sum, 10000, 20, at(x), at(result)); });
    return result;
  });
}

}  // namespace
}  // namespace diopter
