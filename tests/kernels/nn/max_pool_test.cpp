#include "kernels/nn/max_pool.h"

#include "kernels/base/check.h"
#include "kernels/plain/max_pool.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

const MaxPoolShape kShapes[] = {
    {{2, 8, 9}, 5, 3, 2, 1}, {{1, 7, 7}, 33, 2, 2, 0},   {{1, 6, 5}, 3, 3, 1, 1}, {{2, 1, 1}, 4, 3, 2, 1},
    {{1, 9, 8}, 2, 2, 3, 1}, {{1, 20, 17}, 2, 15, 4, 7}, {{0, 8, 8}, 3, 3, 2, 1}, {{3, 64, 48}, 8, 3, 2, 1},
};

TEMPLATE_TEST_CASE("max pool: forward and backward equal plain loops", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (const MaxPoolShape& s : kShapes) {
    INFO(s.in.h << "x" << s.in.w << ", kernel " << s.kernel << ", stride " << s.stride << " on "
                << device_name(device));
    const std::size_t inputs = s.in.rows() * s.channels, outputs = s.out().rows() * s.channels;
    // Few different values: many ties.
    auto x = random_array<TestType>(inputs, 1);
    for (TestType& v : x) v = TestType(std::round(float(v) * 3));
    std::vector<TestType> expected_y(outputs);
    std::vector<std::uint8_t> expected_tap(outputs);
    plain::max_pool_forward(s, x.data(), expected_y.data(), expected_tap.data());
    auto y = garbage<TestType>(outputs);
    std::vector<std::uint8_t> tap(outputs, 255);
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, max_pool_forward, s, at(std::as_const(x)), at(y), at(tap)); });
    CHECK(to_float(y) == to_float(expected_y));
    CHECK(tap == expected_tap);

    const auto dy = random_array<TestType>(outputs, 2);
    auto dx = garbage<TestType>(inputs);
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, max_pool_backward, s, at(tap), at(dy), at(dx)); });
    std::vector<double> expected_dx(inputs);
    plain::max_pool_backward(s, tap.data(), dy.data(), expected_dx.data());
    require_close(to_float(dx), expected_dx, tolerance<TestType>(Tolerance::elementwise));
  }
}

TEST_CASE("max pool: the first of equals wins, NaN wins over numbers, -infinity is a value") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const float infinity = std::numeric_limits<float>::infinity();
  const MaxPoolShape square{{1, 2, 2}, 1, 2, 2, 0};
  const auto pool = [&](const std::vector<float>& x) {
    std::vector<float> y{-1};
    std::vector<std::uint8_t> tap{255};
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, max_pool_forward, square, at(x), at(y), at(tap)); });
    return std::pair(y[0], int{tap[0]});
  };
  CHECK(pool({1, 2, 2, 0}) == std::pair(2.0f, 1));
  CHECK(pool({-infinity, -infinity, -infinity, -infinity}) == std::pair(-infinity, 0));
  CHECK(pool({0, 1, infinity, 1}) == std::pair(infinity, 2));
  for (int at = 0; at < 4; ++at) {
    std::vector<float> x{3, infinity, 1, 2};
    x[at] = kNan;
    const auto [y, tap] = pool(x);
    CHECK(std::isnan(y));
    CHECK(tap == at);
  }
  CHECK(pool({0, kNan, 5, kNan}).second == 1);
}

TEST_CASE("max pool: impossible shapes are errors") {
  const Device device = GENERATE(from_range(devices()));
  std::vector<float> x(16), y(16);
  std::vector<std::uint8_t> tap(16);
  const auto run = [&](const MaxPoolShape& s) {
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, max_pool_forward, s, at(x), at(y), at(tap)); });
  };
  CHECK_THROWS_AS(run({{1, 4, 4}, 1, 3, 2, 2}), Error);
  CHECK_THROWS_AS(run({{1, 4, 4}, 1, 16, 2, 8}), Error);
  CHECK_THROWS_AS(run({{1, 2, 4}, 1, 3, 1, 0}), Error);
}

}  // namespace
}  // namespace diopter
