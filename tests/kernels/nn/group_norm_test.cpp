#include "kernels/nn/group_norm.h"

#include <algorithm>

#include "kernels/base/check.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/norm.h"
#include "kernels/plain/norm.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

constexpr double kGroupEps = 1e-5;

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

std::vector<double> plain_norm(const Levels& levels, const std::vector<double>& x, int channels, int groups,
                               const std::vector<double>& gamma, const std::vector<double>& beta) {
  std::vector<double> y(x.size());
  plain::norm(levels, channels, groups, kGroupEps, x.data(), gamma.data(), beta.data(), y.data());
  return y;
}

template <class T>
struct GroupForward {
  std::vector<T> y;
  std::vector<float> mean, rstd;
  GroupForward(Device device, const Levels& levels, const std::vector<T>& x, int channels, int groups,
               const std::vector<float>& gamma, const std::vector<float>& beta, bool relu = false)
      : y(garbage<T>(x.size())), mean(garbage(images_of(levels) * groups)), rstd(mean) {
    on(device, [&](auto& at) {
      const GroupNormForwardArgs<T> args{.levels = levels,
                                         .channels = channels,
                                         .groups = groups,
                                         .x = at(x),
                                         .gamma = at(gamma),
                                         .beta = at(beta),
                                         .y = at(y),
                                         .mean = at(mean),
                                         .rstd = at(rstd),
                                         .relu = relu};
      DIOPTER_DISPATCH(device, group_norm_forward, args);
    });
  }
};

template <class T>
struct GroupBackward {
  std::vector<T> dx;
  std::vector<float> dgamma, dbeta;
  /// With beta: behind a ReLU.
  GroupBackward(Device device, const Levels& levels, const std::vector<T>& x, const std::vector<T>& dy, int channels,
                int groups, const std::vector<float>& gamma, const GroupForward<T>& forward,
                const std::vector<float>& beta = {})
      : dx(dy), dgamma(garbage(channels)), dbeta(garbage(channels)) {  // in place
    on(device, [&](auto& at) {
      T* gradient = at(dx);
      const GroupNormBackwardArgs<T> args{.levels = levels,
                                          .channels = channels,
                                          .groups = groups,
                                          .x = at(x),
                                          .dy = gradient,
                                          .gamma = at(gamma),
                                          .mean = at(forward.mean),
                                          .rstd = at(forward.rstd),
                                          .dx = gradient,
                                          .dgamma = at(dgamma),
                                          .dbeta = at(dbeta),
                                          .relu = !beta.empty(),
                                          .beta = beta.empty() ? nullptr : at(beta)};
      DIOPTER_DISPATCH(device, group_norm_backward, args);
    });
  }
};

TEMPLATE_TEST_CASE("group norm: forward equals the formula in double", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  const Levels cases[] = {Levels({2, 5, 5}), Levels({1, 1, 1}), Levels({0, 3, 3}), Levels({1, 90, 70}), three_levels()};
  for (const Levels& levels : cases) {
    for (int groups : {1, 3, 12}) {
      INFO(levels.rows() << " rows, " << groups << " groups on " << device_name(device));
      const auto x = random_array<TestType>(levels.rows() * 12, 1);
      const auto gamma = random_array(12, 2), beta = random_array(12, 3);
      const GroupForward<TestType> actual(device, levels, x, 12, groups, gamma, beta);
      require_close(to_float(actual.y),
                    plain_norm(levels, doubles(to_float(x)), 12, groups, doubles(gamma), doubles(beta)),
                    tolerance<TestType>(Tolerance::matrix));
    }
  }
}

TEST_CASE("group norm: mean and rstd are those of each image and group") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  // Two pixels, two groups of one channel: 1, 3 and 10, 10.
  const GroupForward<float> actual(device, Levels({1, 1, 2}), {1, 10, 3, 10}, 2, 2, {1, 1}, {0, 5});
  require_close(actual.mean, std::vector<double>{2, 10}, Tolerance::elementwise);
  require_close(actual.rstd, std::vector<double>{1 / std::sqrt(1 + kGroupEps), 1 / std::sqrt(kGroupEps)},
                Tolerance::elementwise);
  require_close(actual.y, std::vector<double>{-0.999995, 5, 0.999995, 5}, 1e-4);
}

// The sum of squares and the squared mean then differ by rounding alone, either way, and by more than eps.
TEST_CASE("group norm: constant groups far from zero have no variance, and never a negative one") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const int groups = 64, pixels = 7 * 143;
  std::vector<float> x;
  for (int i = 0; i < pixels * groups; ++i) x.push_back(1e6f + 3.7f * static_cast<float>(i % groups));
  const std::vector<float> gamma(groups, 1), beta(groups, 0);
  const GroupForward<float> actual(device, Levels({1, 7, 143}), x, groups, groups, gamma, beta);
  for (int g = 0; g < groups; ++g) {
    INFO("group " << g);
    CHECK(actual.mean[g] == Approx(x[g]));
    CHECK(actual.rstd[g] > 1);  // not NaN
    CHECK(actual.rstd[g] <= Approx(1 / std::sqrt(kGroupEps)));
  }
}

TEMPLATE_TEST_CASE("group norm: backward equals central differences of the formula in double", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  const Levels levels = three_levels();
  const int channels = 6;
  const std::size_t n = levels.rows() * channels;
  const auto x = random_array<TestType>(n, 1), dy = random_array<TestType>(n, 2);
  const auto gamma = random_array(channels, 3), beta = random_array(channels, 4);
  const auto x64 = doubles(to_float(x)), gamma64 = doubles(gamma), beta64 = doubles(beta);
  for (int groups : {1, 2}) {
    INFO(groups << " groups on " << device_name(device));
    const auto loss = [&](const auto& in, const auto& a, const auto& b) {
      const auto y = plain_norm(levels, in, channels, groups, a, b);
      double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += y[i] * float(dy[i]);
      return sum;
    };
    const GroupForward<TestType> forward(device, levels, x, channels, groups, gamma, beta);
    const GroupBackward<TestType> actual(device, levels, x, dy, channels, groups, gamma, forward);
    const auto of_x = central_differences(x64, [&](const auto& v) { return loss(v, gamma64, beta64); });
    const auto of_gamma = central_differences(gamma64, [&](const auto& v) { return loss(x64, v, beta64); });
    const auto of_beta = central_differences(beta64, [&](const auto& v) { return loss(x64, gamma64, v); });
    require_close(to_float(actual.dx), of_x, tolerance<TestType>(Tolerance::matrix));
    require_close(actual.dgamma, of_gamma, Tolerance::sum);
    require_close(actual.dbeta, of_beta, Tolerance::sum);
  }
}

TEST_CASE("group norm: nothing to normalise gives zero parameter gradients") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const Levels none;
  const GroupForward<float> forward(device, none, {}, 4, 2, {1, 1, 1, 1}, {0, 0, 0, 0});
  const GroupBackward<float> backward(device, none, {}, {}, 4, 2, {1, 1, 1, 1}, forward);
  CHECK(backward.dgamma == std::vector<float>(4, 0.0f));
  CHECK(backward.dbeta == std::vector<float>(4, 0.0f));
}

TEST_CASE("group norm: channels must be a multiple of groups") {
  const Device device = GENERATE(from_range(devices()));
  CHECK_THROWS_AS(GroupForward<float>(device, Levels({1, 1, 1}), {1, 2, 3}, 3, 2, {1, 1, 1}, {0, 0, 0}), Error);
}

TEMPLATE_TEST_CASE("group norm: backward equals the formula for many pixels and channels", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  Levels levels = three_levels();
  levels.level[0] = {2, 17, 31};
  for (const auto& [channels, groups] : {std::pair(8, 2), std::pair(264, 3)}) {
    INFO(channels << " channels on " << device_name(device));
    const int width = channels / groups;
    const std::size_t n = levels.rows() * channels;
    const auto x = random_array<TestType>(n, 1), dy = random_array<TestType>(n, 2);
    const auto gamma = random_array(channels, 3);
    const GroupForward<TestType> forward(device, levels, x, channels, groups, gamma, gamma);
    const GroupBackward<TestType> actual(device, levels, x, dy, channels, groups, gamma, forward);
    std::vector<double> dgamma(channels), dbeta(channels), dx(n);
    std::size_t first = 0, image = 0;
    for (int l = 0; l < levels.count; ++l) {
      const std::size_t size = std::size_t(levels.level[l].h) * levels.level[l].w * channels;
      for (int i = 0; i < levels.level[l].n; ++i, ++image, first += size) {
        const auto group = [&, c = channels, g = groups](std::size_t at) { return image * g + at % c / width; };
        const auto xhat = [&](std::size_t at) {
          return (static_cast<double>(float(x[at])) - forward.mean[group(at)]) * forward.rstd[group(at)];
        };
        std::vector<double> sum(image * groups + groups), product(sum);
        for (std::size_t at = first; at < first + size; ++at) {
          const double g = float(dy[at]);
          dbeta[at % channels] += g;
          dgamma[at % channels] += g * xhat(at);
          sum[group(at)] += g * gamma[at % channels];
          product[group(at)] += g * gamma[at % channels] * xhat(at);
        }
        const double count = static_cast<double>(size) / groups;
        for (std::size_t at = first; at < first + size; ++at) {
          const double g = static_cast<double>(float(dy[at])) * gamma[at % channels];
          dx[at] = forward.rstd[group(at)] * (g - sum[group(at)] / count - xhat(at) * product[group(at)] / count);
        }
      }
    }
    require_close(actual.dbeta, dbeta, Tolerance::sum);
    require_close(actual.dgamma, dgamma, Tolerance::matrix);
    require_close(to_float(actual.dx), dx, tolerance<TestType>(Tolerance::matrix));
  }
}

// Levels, channels and groups for whole packs and others, one row and many, few channels and more than a block takes.
TEMPLATE_TEST_CASE("group norm: with a ReLU it is norm and ReLU in turn, bit for bit", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  Levels levels = three_levels();
  levels.level[0] = {2, 17, 31};
  for (const auto& [channels, groups] : {std::pair(8, 2), std::pair(6, 3), std::pair(264, 3)}) {
    INFO(channels << " channels on " << device_name(device));
    const std::size_t n = levels.rows() * channels;
    const auto x = random_array<TestType>(n, 1), dy = random_array<TestType>(n, 2);
    const auto gamma = random_array(channels, 3), beta = random_array(channels, 4);
    const GroupForward<TestType> fused(device, levels, x, channels, groups, gamma, beta, true);
    const GroupBackward<TestType> fused_back(device, levels, x, dy, channels, groups, gamma, fused, beta);

    const GroupForward<TestType> norm(device, levels, x, channels, groups, gamma, beta);
    std::vector<TestType> y(norm.y), dz(dy);
    on(device, [&](auto& at) {
      TestType *values = at(y), *gradient = at(dz);
      DIOPTER_DISPATCH(device, activation_forward, Activation::relu, n, values, values);
      DIOPTER_DISPATCH(device, activation_backward, Activation::relu, n, values, gradient, gradient);
    });
    const GroupBackward<TestType> back(device, levels, x, dz, channels, groups, gamma, norm);
    CHECK(std::count_if(y.begin(), y.end(), [](TestType v) { return float(v) == 0; }) > static_cast<int>(n / 8));
    CHECK(same_bits(fused.y, y));
    CHECK(same_bits(fused.mean, norm.mean));
    CHECK(same_bits(fused_back.dx, back.dx));
    CHECK(same_bits(fused_back.dgamma, back.dgamma));
    CHECK(same_bits(fused_back.dbeta, back.dbeta));
  }
}

TEST_CASE("group norm: a ReLU behind it passes what is above 0 once it is stored, and NaN goes through") {
  CHECK(NormMap{1, 0, kRelu}(-1) == 0);
  CHECK(NormMap{1, 0, kRelu}(2) == 2);
  CHECK(NormMap{1, 0}(-INFINITY) == -INFINITY);
  CHECK(std::isnan(NormMap{1, 0, kRelu}(kNan)));
  const float one = 1, zero = 0;
  const ReluPass<float, const float*> stored_as_float{&one, &zero};
  const ReluPass<bf16, const float*> stored_as_bf16{&one, &zero};
  for (const float x :
       {-1.0f, -0.0f, 0.0f, 1e-45f, 0x1p-134f, std::nextafter(0x1p-134f, 1.0f), 0x1p-133f, 1.0f, kNan}) {
    INFO(x);
    CHECK(stored_as_float(0, x, 3) == Relu::backward(x, 3.0f));
    CHECK(stored_as_bf16(0, x, 3) == Relu::backward(float(bf16(x)), 3.0f));
  }
}

TEST_CASE("group norm: statistics where mean and variance are far apart, and of unequal pieces") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  // Deviations of 1 about 1000, the first pieces about 2000; enough rows for several pieces and one that is not full.
  const int channels = 4, pixels = 3001;
  std::vector<float> x(pixels * channels);
  for (int i = 0; i < pixels * channels; ++i) {
    x[i] = (i < 40 * channels ? 2000.0f : 1000.0f) + static_cast<float>(i / channels % 3 - 1);
  }
  const GroupForward<float> actual(device, Levels({1, 1, pixels}), x, channels, 2, {1, 1, 1, 1}, {0, 0, 0, 0});
  double sum = 0, square = 0;
  for (const float v : x) sum += v;
  const double mean = sum / static_cast<double>(x.size());
  for (const float v : x) square += (v - mean) * (v - mean);
  const double rstd = 1 / std::sqrt(square / static_cast<double>(x.size()) + kGroupEps);
  require_close(actual.mean, std::vector<double>{mean, mean}, Tolerance::elementwise);
  require_close(actual.rstd, std::vector<double>{rstd, rstd}, 1e-5);
}

TEST_CASE("group norm: the same bits each time") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const int size = device == Device::cpu ? 70 : 30;
  const Levels levels({3, size, size});
  const auto x = random_array(levels.rows() * 16, 1), dy = random_array(levels.rows() * 16, 2);
  const auto gamma = random_array(16, 3), beta = random_array(16, 4);
  require_same_bits_each_time(device, [&] { return GroupForward<float>(device, levels, x, 16, 4, gamma, beta).y; });
  const GroupForward<float> forward(device, levels, x, 16, 4, gamma, beta);
  const auto backward = [&] { return GroupBackward<float>(device, levels, x, dy, 16, 4, gamma, forward); };
  require_same_bits_each_time(device, [&] { return backward().dx; });
  require_same_bits_each_time(device, [&] { return backward().dgamma; });
}

}  // namespace
}  // namespace diopter
