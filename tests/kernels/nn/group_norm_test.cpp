#include "kernels/nn/group_norm.h"

#include "kernels/common/check.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

constexpr double kEps = 1e-5;

Levels three_levels() {
  Levels levels;
  levels.count = 4;
  levels.level[0] = {2, 3, 4};
  levels.level[1] = {0, 2, 2};
  levels.level[2] = {1, 2, 3};
  levels.level[3] = {2, 1, 1};
  return levels;
}

int images_of(const Levels& levels) {
  int images = 0;
  for (int l = 0; l < levels.count; ++l) images += levels.level[l].n;
  return images;
}

/// The formula in double.
std::vector<double> plain(const Levels& levels, const std::vector<double>& x, int channels, int groups,
                          const std::vector<double>& gamma, const std::vector<double>& beta) {
  const int width = channels / groups;
  std::vector<double> y(x.size());
  std::size_t first = 0;
  for (int l = 0; l < levels.count; ++l) {
    const std::size_t pixels = std::size_t(levels.level[l].h) * levels.level[l].w;
    for (int n = 0; n < levels.level[l].n; ++n, first += pixels * channels) {
      for (int g = 0; g < groups; ++g) {
        const auto for_each = [&](auto body) {
          for (std::size_t p = 0; p < pixels; ++p)
            for (int c = g * width; c < (g + 1) * width; ++c) body(first + p * channels + c, c);
        };
        const double count = static_cast<double>(pixels) * width;
        double mean = 0, var = 0;
        for_each([&](std::size_t i, int) { mean += x[i] / count; });
        for_each([&](std::size_t i, int) { var += (x[i] - mean) * (x[i] - mean) / count; });
        for_each([&](std::size_t i, int c) { y[i] = gamma[c] * (x[i] - mean) / std::sqrt(var + kEps) + beta[c]; });
      }
    }
  }
  return y;
}

std::vector<double> doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

template <class T>
struct Forward {
  std::vector<T> y;
  std::vector<float> mean, rstd;
  Forward(const Levels& levels, const std::vector<T>& x, int channels, int groups, const std::vector<float>& gamma,
          const std::vector<float>& beta)
      : y(garbage<T>(x.size())), mean(garbage(images_of(levels) * groups)), rstd(mean) {
    cpu::group_norm_forward(GroupNormForwardArgs<T>{.levels = levels,
                                                    .channels = channels,
                                                    .groups = groups,
                                                    .x = x.data(),
                                                    .gamma = gamma.data(),
                                                    .beta = beta.data(),
                                                    .y = y.data(),
                                                    .mean = mean.data(),
                                                    .rstd = rstd.data()});
  }
};

template <class T>
struct Backward {
  std::vector<T> dx;
  std::vector<float> dgamma, dbeta;
  Backward(const Levels& levels, const std::vector<T>& x, const std::vector<T>& dy, int channels, int groups,
           const std::vector<float>& gamma, const Forward<T>& forward)
      : dx(dy), dgamma(garbage(channels)), dbeta(garbage(channels)) {  // in place
    cpu::group_norm_backward(GroupNormBackwardArgs<T>{.levels = levels,
                                                      .channels = channels,
                                                      .groups = groups,
                                                      .x = x.data(),
                                                      .dy = dx.data(),
                                                      .gamma = gamma.data(),
                                                      .mean = forward.mean.data(),
                                                      .rstd = forward.rstd.data(),
                                                      .dx = dx.data(),
                                                      .dgamma = dgamma.data(),
                                                      .dbeta = dbeta.data()});
  }
};

TEMPLATE_TEST_CASE("group norm: forward equals the formula in double", "", float, bf16) {
  const Levels cases[] = {Levels({2, 5, 5}), Levels({1, 1, 1}), Levels({0, 3, 3}), Levels({1, 90, 70}), three_levels()};
  for (const Levels& levels : cases) {
    for (int groups : {1, 3, 12}) {
      INFO(levels.rows() << " rows, " << groups << " groups");
      const auto x = random_array<TestType>(levels.rows() * 12, 1);
      const auto gamma = random_array(12, 2), beta = random_array(12, 3);
      const Forward<TestType> actual(levels, x, 12, groups, gamma, beta);
      require_close(to_float(actual.y), plain(levels, doubles(to_float(x)), 12, groups, doubles(gamma), doubles(beta)),
                    tolerance<TestType>(Tolerance::matrix));
    }
  }
}

TEST_CASE("group norm: mean and rstd are those of each image and group") {
  // Two pixels, two groups of one channel: 1, 3 and 10, 10.
  const Forward<float> actual(Levels({1, 1, 2}), {1, 10, 3, 10}, 2, 2, {1, 1}, {0, 5});
  require_close(actual.mean, std::vector<double>{2, 10}, Tolerance::elementwise);
  require_close(actual.rstd, std::vector<double>{1 / std::sqrt(1 + kEps), 1 / std::sqrt(kEps)}, Tolerance::elementwise);
  require_close(actual.y, std::vector<double>{-0.999995, 5, 0.999995, 5}, 1e-4);
}

TEMPLATE_TEST_CASE("group norm: backward equals central differences of the formula in double", "", float, bf16) {
  const Levels levels = three_levels();
  const int channels = 6;
  const std::size_t n = levels.rows() * channels;
  const auto x = random_array<TestType>(n, 1), dy = random_array<TestType>(n, 2);
  const auto gamma = random_array(channels, 3), beta = random_array(channels, 4);
  const auto x64 = doubles(to_float(x)), gamma64 = doubles(gamma), beta64 = doubles(beta);
  for (int groups : {1, 2}) {
    INFO(groups << " groups");
    const auto loss = [&](const auto& in, const auto& a, const auto& b) {
      const auto y = plain(levels, in, channels, groups, a, b);
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += y[i] * float(dy[i]);
      return sum;
    };
    const Forward<TestType> forward(levels, x, channels, groups, gamma, beta);
    const Backward<TestType> actual(levels, x, dy, channels, groups, gamma, forward);
    const auto of_x = central_differences(x64, [&](const auto& v) { return loss(v, gamma64, beta64); });
    const auto of_gamma = central_differences(gamma64, [&](const auto& v) { return loss(x64, v, beta64); });
    const auto of_beta = central_differences(beta64, [&](const auto& v) { return loss(x64, gamma64, v); });
    require_close(to_float(actual.dx), of_x, tolerance<TestType>(Tolerance::matrix));
    require_close(actual.dgamma, of_gamma, Tolerance::sum);
    require_close(actual.dbeta, of_beta, Tolerance::sum);
  }
}

TEST_CASE("group norm: nothing to normalise gives zero parameter gradients") {
  const Levels none;
  const Forward<float> forward(none, {}, 4, 2, {1, 1, 1, 1}, {0, 0, 0, 0});
  const Backward<float> backward(none, {}, {}, 4, 2, {1, 1, 1, 1}, forward);
  CHECK(backward.dgamma == std::vector<float>(4, 0.0f));
  CHECK(backward.dbeta == std::vector<float>(4, 0.0f));
}

TEST_CASE("group norm: channels must be a multiple of groups") {
  CHECK_THROWS_AS(Forward<float>(Levels({1, 1, 1}), {1, 2, 3}, 3, 2, {1, 1, 1}, {0, 0, 0}), Error);
}

TEST_CASE("group norm: bits do not depend on the number of threads") {
  const Levels levels({3, 70, 70});
  const auto x = random_array(levels.rows() * 16, 1), dy = random_array(levels.rows() * 16, 2);
  const auto gamma = random_array(16, 3), beta = random_array(16, 4);
  require_same_bits_for_any_thread_count([&] { return Forward<float>(levels, x, 16, 4, gamma, beta).y; });
  const Forward<float> forward(levels, x, 16, 4, gamma, beta);
  require_same_bits_for_any_thread_count([&] { return Backward<float>(levels, x, dy, 16, 4, gamma, forward).dx; });
  require_same_bits_for_any_thread_count([&] { return Backward<float>(levels, x, dy, 16, 4, gamma, forward).dgamma; });
}

}  // namespace
}  // namespace diopter
