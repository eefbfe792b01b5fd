#include "kernels/nn/max_pool.h"

#include "kernels/base/check.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

struct Pooled {
  std::vector<float> y;
  std::vector<std::uint8_t> tap;
};

/// The definition, element by element.
Pooled plain(const MaxPoolShape& s, const std::vector<float>& x) {
  const LevelShape out = s.out();
  Pooled result{std::vector<float>(out.rows() * s.channels), std::vector<std::uint8_t>(out.rows() * s.channels)};
  std::size_t i = 0;
  for (int n = 0; n < out.n; ++n)
    for (int oy = 0; oy < out.h; ++oy)
      for (int ox = 0; ox < out.w; ++ox)
        for (int c = 0; c < s.channels; ++c, ++i) {
          bool found = false;
          for (int t = 0; t < s.kernel * s.kernel; ++t) {
            const int iy = oy * s.stride - s.padding + t / s.kernel, ix = ox * s.stride - s.padding + t % s.kernel;
            if (iy < 0 || iy >= s.in.h || ix < 0 || ix >= s.in.w) continue;
            const float value = x[((std::size_t(n) * s.in.h + iy) * s.in.w + ix) * s.channels + c];
            const float best = result.y[i];
            if (!found || (std::isnan(value) && !std::isnan(best)) || value > best) {
              result.y[i] = value;
              result.tap[i] = static_cast<std::uint8_t>(t);
            }
            found = true;
          }
        }
  return result;
}

std::vector<double> plain_backward(const MaxPoolShape& s, const std::vector<std::uint8_t>& tap,
                                   const std::vector<float>& dy) {
  const LevelShape out = s.out();
  std::vector<double> dx(s.in.rows() * s.channels);
  std::size_t i = 0;
  for (int n = 0; n < out.n; ++n)
    for (int oy = 0; oy < out.h; ++oy)
      for (int ox = 0; ox < out.w; ++ox)
        for (int c = 0; c < s.channels; ++c, ++i) {
          const int iy = oy * s.stride - s.padding + tap[i] / s.kernel;
          const int ix = ox * s.stride - s.padding + tap[i] % s.kernel;
          dx[((std::size_t(n) * s.in.h + iy) * s.in.w + ix) * s.channels + c] += dy[i];
        }
  return dx;
}

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
    const Pooled expected = plain(s, to_float(x));
    auto y = garbage<TestType>(outputs);
    std::vector<std::uint8_t> tap(outputs, 255);
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, max_pool_forward, s, at(std::as_const(x)), at(y), at(tap)); });
    CHECK(to_float(y) == expected.y);
    CHECK(tap == expected.tap);

    const auto dy = random_array<TestType>(outputs, 2);
    auto dx = garbage<TestType>(inputs);
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, max_pool_backward, s, at(tap), at(dy), at(dx)); });
    require_close(to_float(dx), plain_backward(s, tap, to_float(dy)), tolerance<TestType>(Tolerance::elementwise));
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
