#include "kernels/nn/batch_norm.h"

#include "kernels/base/check.h"
#include "kernels/plain/norm.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

constexpr double kEps = 1e-5;

std::vector<double> plain_norm(const std::vector<double>& x, int channels, const std::vector<double>& gamma,
                               const std::vector<double>& beta) {
  std::vector<double> y(x.size());
  const Levels one_image({1, static_cast<int>(x.size()) / channels, 1});
  plain::norm(one_image, channels, channels, kEps, x.data(), gamma.data(), beta.data(), y.data());
  return y;
}

template <class T>
struct Forward {
  std::vector<T> y;
  std::vector<float> mean, rstd, running_mean, running_var;
  Forward(Device device, const std::vector<T>& x, int channels, const std::vector<float>& gamma,
          const std::vector<float>& beta)
      : y(garbage<T>(x.size())),
        mean(garbage(channels)),
        rstd(garbage(channels)),
        running_mean(channels, 1.0f),
        running_var(channels, 2.0f) {
    on(device, [&](auto& at) {
      const BatchNormForwardArgs<T> args{.rows = static_cast<std::int64_t>(x.size()) / channels,
                                         .channels = channels,
                                         .x = at(x),
                                         .gamma = at(gamma),
                                         .beta = at(beta),
                                         .running_mean = at(running_mean),
                                         .running_var = at(running_var),
                                         .y = at(y),
                                         .mean = at(mean),
                                         .rstd = at(rstd)};
      DIOPTER_DISPATCH(device, batch_norm_forward, args);
    });
  }
};

template <class T>
struct Backward {
  std::vector<T> dx;
  std::vector<float> dgamma, dbeta;
  Backward(Device device, const std::vector<T>& x, const std::vector<T>& dy, int channels,
           const std::vector<float>& gamma, const Forward<T>& forward)
      : dx(dy), dgamma(garbage(channels)), dbeta(garbage(channels)) {  // in place
    on(device, [&](auto& at) {
      T* gradient = at(dx);
      const BatchNormBackwardArgs<T> args{.rows = static_cast<std::int64_t>(x.size()) / channels,
                                          .channels = channels,
                                          .x = at(x),
                                          .dy = gradient,
                                          .gamma = at(gamma),
                                          .mean = at(forward.mean),
                                          .rstd = at(forward.rstd),
                                          .dx = gradient,
                                          .dgamma = at(dgamma),
                                          .dbeta = at(dbeta)};
      DIOPTER_DISPATCH(device, batch_norm_backward, args);
    });
  }
};

TEMPLATE_TEST_CASE("batch norm: forward equals the formula in double", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (int channels : {1, 5, 33, 264}) {
    for (int rows : {1, 2, 31, 32, 33, 257, 9000}) {
      if (rows * channels > 300000) continue;
      INFO(rows << " rows, " << channels << " channels on " << device_name(device));
      auto x = random_array<TestType>(std::size_t(rows) * channels, 1);
      const auto gamma = random_array(channels, 2), beta = random_array(channels, 3);
      const Forward<TestType> actual(device, x, channels, gamma, beta);
      // One row of each channel is all beta; rounding of the mean is magnified by rstd = 316.
      const double close = tolerance<TestType>(Tolerance::matrix);
      require_close(to_float(actual.y), plain_norm(doubles(to_float(x)), channels, doubles(gamma), doubles(beta)),
                    close);
    }
  }
}

TEST_CASE("batch norm: mean far from zero, and running values as in PyTorch") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  // Channel 0: 1001, 1003 (mean 1002, biased variance 1, unbiased 2); channel 1 constant.
  const std::vector<float> x{1001, 7, 1003, 7};
  const Forward<float> actual(device, x, 2, {1, 1}, {0, 0});
  require_close(actual.y, std::vector<double>{-0.999995, 0, 0.999995, 0}, 1e-4);
  require_close(actual.mean, std::vector<double>{1002, 7}, Tolerance::elementwise);
  require_close(actual.rstd, std::vector<double>{1 / std::sqrt(1 + kEps), 1 / std::sqrt(kEps)}, Tolerance::elementwise);
  require_close(actual.running_mean, std::vector<double>{0.9 + 100.2, 0.9 + 0.7}, Tolerance::elementwise);
  require_close(actual.running_var, std::vector<double>{1.8 + 0.2, 1.8}, Tolerance::elementwise);
}

// The sum of squares and the squared mean then differ by rounding alone, either way, and by more than eps.
TEST_CASE("batch norm: constant channels far from zero have no variance, and never a negative one") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const int channels = 64, rows = 1001;
  std::vector<float> x;
  for (int i = 0; i < rows * channels; ++i) x.push_back(1e6f + 3.7f * static_cast<float>(i % channels));
  const Forward<float> actual(device, x, channels, std::vector<float>(channels, 1), std::vector<float>(channels, 0));
  for (int c = 0; c < channels; ++c) {
    INFO("channel " << c);
    CHECK(actual.mean[c] == Approx(x[c]));
    CHECK(actual.rstd[c] > 1);  // not NaN
    CHECK(actual.rstd[c] <= Approx(1 / std::sqrt(kEps)));
    CHECK(actual.running_var[c] >= 1.8f);
    CHECK(actual.running_var[c] < 1.81f);
  }
}

TEMPLATE_TEST_CASE("batch norm: backward equals central differences of the formula in double", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const int channels = 3;
  const std::size_t n = 7 * channels;
  const auto x = random_array<TestType>(n, 1), dy = random_array<TestType>(n, 2);
  const auto gamma = random_array(channels, 3), beta = random_array(channels, 4);
  const auto loss = [&](const std::vector<double>& y) {
    double sum = 0;
    for (std::size_t i = 0; i < n; ++i) sum += y[i] * float(dy[i]);
    return sum;
  };
  const auto x64 = doubles(to_float(x)), gamma64 = doubles(gamma), beta64 = doubles(beta);
  const Forward<TestType> forward(device, x, channels, gamma, beta);
  const Backward<TestType> actual(device, x, dy, channels, gamma, forward);
  const auto of_x =
      central_differences(x64, [&](const auto& v) { return loss(plain_norm(v, channels, gamma64, beta64)); });
  const auto of_gamma =
      central_differences(gamma64, [&](const auto& v) { return loss(plain_norm(x64, channels, v, beta64)); });
  const auto of_beta =
      central_differences(beta64, [&](const auto& v) { return loss(plain_norm(x64, channels, gamma64, v)); });
  require_close(to_float(actual.dx), of_x, tolerance<TestType>(Tolerance::sum));
  require_close(actual.dgamma, of_gamma, Tolerance::sum);
  require_close(actual.dbeta, of_beta, Tolerance::sum);
}

TEMPLATE_TEST_CASE("batch norm: fixed statistics", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const std::vector<float> gamma{2, -1}, beta{0.5f, 0.25f}, mean{1, -2}, var{4, 0.25f};
  auto scale = garbage(2), shift = garbage(2);
  on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, batch_norm_fold, 2, 0.0f, at(gamma), at(beta), at(mean), at(var), at(scale), at(shift));
  });
  CHECK(scale == std::vector<float>{1, -2});
  CHECK(shift == std::vector<float>{-0.5f, -3.75f});
  for (int rows : {0, 1, 33, 40000}) {
    const auto x = random_array<TestType>(std::size_t(rows) * 2, 5);
    std::vector<double> forward(x.size()), backward(x.size());
    for (std::size_t i = 0; i < x.size(); ++i) {
      backward[i] = static_cast<double>(float(x[i])) * scale[i % 2];
      forward[i] = backward[i] + shift[i % 2];
    }
    auto y = garbage<TestType>(x.size());
    on(device,
       [&](auto& at) { DIOPTER_DISPATCH(device, channel_affine, rows, 2, at(scale), at(shift), at(x), at(y)); });
    require_close(to_float(y), forward, tolerance<TestType>(Tolerance::elementwise));
    y = x;  // in place
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, channel_affine, rows, 2, at(scale), nullptr, at(y), at(y)); });
    require_close(to_float(y), backward, tolerance<TestType>(Tolerance::elementwise));
  }
}

// Whole packs of 16 bytes need it of every array: input and output are off such addresses in turns.
TEMPLATE_TEST_CASE("batch norm: fixed statistics, arrays at any address", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  const int channels = 16;
  const auto scale = random_array(channels, 1), shift = random_array(channels, 2);
  for (int rows : {1, 3, 4, 5, 700}) {
    const std::size_t n = std::size_t(rows) * channels;
    const auto values = random_array<TestType>(n, 5);
    for (int before_x : {0, 1}) {
      for (int before_y : {0, 1}) {
        INFO(rows << " rows, " << before_x << " and " << before_y << " elements before on " << device_name(device));
        std::vector<TestType> x(before_x), y = garbage<TestType>(n + 2);
        x.insert(x.end(), values.begin(), values.end());
        on(device, [&](auto& at) {
          DIOPTER_DISPATCH(device, channel_affine, rows, channels, at(scale), at(shift),
                           at(std::as_const(x)) + before_x, at(y) + before_y);
        });
        std::size_t wrong = 0;
        for (std::size_t i = 0; i < n; ++i) {
          const float expected = float(values[i]) * scale[i % channels] + shift[i % channels];
          wrong += !(std::fabs(float(y[before_y + i]) - expected) <= tolerance<TestType>(Tolerance::elementwise));
        }
        CHECK(wrong == 0);
        CHECK(std::isnan(float(y[n + 1])));
        CHECK(std::isnan(float(y[before_y ? 0 : n])));
      }
    }
  }
}

TEMPLATE_TEST_CASE("batch norm: backward equals the formula for many rows and channels", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (int channels : {1, 8, 12, 264}) {
    for (int rows : {1, 32, 257, 5000}) {
      if (rows * channels > 300000) continue;
      INFO(rows << " rows, " << channels << " channels on " << device_name(device));
      const std::size_t n = std::size_t(rows) * channels;
      const auto x = random_array<TestType>(n, 1), dy = random_array<TestType>(n, 2);
      const auto gamma = random_array(channels, 3);
      const Forward<TestType> forward(device, x, channels, gamma, gamma);
      const Backward<TestType> actual(device, x, dy, channels, gamma, forward);
      std::vector<double> dgamma(channels), dbeta(channels), dx(n);
      const auto xhat = [&](std::size_t i) {
        return (static_cast<double>(float(x[i])) - forward.mean[i % channels]) * forward.rstd[i % channels];
      };
      for (std::size_t i = 0; i < n; ++i) {
        dbeta[i % channels] += float(dy[i]);
        dgamma[i % channels] += float(dy[i]) * xhat(i);
      }
      for (std::size_t i = 0; i < n; ++i) {
        const std::size_t c = i % channels;
        dx[i] =
            static_cast<double>(gamma[c]) * forward.rstd[c] * (float(dy[i]) - (dbeta[c] + xhat(i) * dgamma[c]) / rows);
      }
      require_close(actual.dbeta, dbeta, Tolerance::sum);
      require_close(actual.dgamma, dgamma, Tolerance::sum);
      require_close(to_float(actual.dx), dx, tolerance<TestType>(Tolerance::matrix));
    }
  }
}

TEMPLATE_TEST_CASE("batch norm: a batch in parts is normalised as one", "", float, bf16) {
  using T = TestType;
  const Device device = GENERATE(from_range(devices()));
  for (int channels : {1, 12, 264}) {
    INFO(channels << " channels on " << device_name(device));
    const std::vector<std::int64_t> rows{3, 700, 1};
    const std::size_t n = 704 * static_cast<std::size_t>(channels);
    auto x = random_array<T>(n, 1), dy = random_array<T>(n, 2);
    for (std::size_t i = 0; i < n; ++i) x[i] = T(float(x[i]) + (i < n / 3 ? 5.0f : -1.0f));  // parts differ
    const auto gamma = random_array(channels, 3), beta = random_array(channels, 4);
    const Forward<T> whole(device, x, channels, gamma, beta);
    const Backward<T> whole_back(device, x, dy, channels, gamma, whole);

    struct Part {
      std::vector<T> x, dy, y, dx;
      std::vector<Moments<double>> moments;
      std::vector<NormProducts> products;
      std::vector<float> mean, rstd, dgamma, dbeta;
    };
    std::vector<Part> parts;
    std::vector<Moments<double>> moments(channels);
    for (std::size_t first = 0; const std::int64_t of_part : rows) {
      const std::size_t end = first + static_cast<std::size_t>(of_part * channels);
      Part part;
      part.x.assign(x.begin() + first, x.begin() + end);
      part.dy.assign(dy.begin() + first, dy.begin() + end);
      part.y = part.dx = garbage<T>(end - first);
      part.moments.resize(channels), part.products.resize(channels);
      part.mean = part.rstd = part.dgamma = part.dbeta = garbage(channels);
      on(device, [&](auto& at) {
        DIOPTER_DISPATCH(device, batch_norm_moments, of_part, channels, at(std::as_const(part.x)), at(part.moments));
      });
      for (int c = 0; c < channels; ++c) moments[c] += part.moments[c];
      parts.push_back(part);
      first = end;
    }
    CHECK(moments[0].n == 704);

    std::vector<NormProducts> products(channels);
    const auto backward_args = [&](Part& part, auto& at) {
      return BatchNormBackwardArgs<T>{.rows = std::ssize(part.x) / channels,
                                      .channels = channels,
                                      .x = at(std::as_const(part.x)),
                                      .dy = at(std::as_const(part.dy)),
                                      .gamma = at(gamma),
                                      .mean = at(std::as_const(part.mean)),
                                      .rstd = at(std::as_const(part.rstd)),
                                      .dx = at(part.dx),
                                      .dgamma = at(part.dgamma),
                                      .dbeta = at(part.dbeta)};
    };
    for (Part& part : parts) {
      on(device, [&](auto& at) {
        const BatchNormForwardArgs<T> args{.rows = std::ssize(part.x) / channels,
                                           .channels = channels,
                                           .x = at(std::as_const(part.x)),
                                           .gamma = at(gamma),
                                           .beta = at(beta),
                                           .running_mean = nullptr,
                                           .running_var = nullptr,
                                           .y = at(part.y),
                                           .mean = at(part.mean),
                                           .rstd = at(part.rstd),
                                           .moments = at(std::as_const(moments))};
        DIOPTER_DISPATCH(device, batch_norm_forward, args);
      });
      on(device,
         [&](auto& at) { DIOPTER_DISPATCH(device, batch_norm_products, backward_args(part, at), at(part.products)); });
      for (int c = 0; c < channels; ++c) products[c] += part.products[c];
    }
    std::vector<T> y, dx;
    std::vector<double> dgamma(channels), dbeta(channels);
    for (Part& part : parts) {
      on(device, [&](auto& at) {
        BatchNormBackwardArgs<T> args = backward_args(part, at);
        args.own = at(std::as_const(part.products));
        args.total = at(std::as_const(products));
        args.total_rows = moments[0].n;
        DIOPTER_DISPATCH(device, batch_norm_backward, args);
      });
      y.insert(y.end(), part.y.begin(), part.y.end());
      dx.insert(dx.end(), part.dx.begin(), part.dx.end());
      for (int c = 0; c < channels; ++c) {
        dgamma[c] += static_cast<double>(part.dgamma[c]);
        dbeta[c] += static_cast<double>(part.dbeta[c]);
      }
      require_close(part.mean, doubles(whole.mean), Tolerance::elementwise);
      require_close(part.rstd, doubles(whole.rstd), Tolerance::elementwise);
    }
    require_close(to_float(y), doubles(to_float(whole.y)), tolerance<T>(Tolerance::elementwise));
    require_close(to_float(dx), doubles(to_float(whole_back.dx)), tolerance<T>(Tolerance::elementwise));
    require_close(whole_back.dgamma, dgamma, Tolerance::sum);
    require_close(whole_back.dbeta, dbeta, Tolerance::sum);
  }
}

TEST_CASE("batch norm: no rows is an error") {
  const Device device = GENERATE(from_range(devices()));
  CHECK_THROWS_AS(Forward<float>(device, {}, 2, {1, 1}, {0, 0}), Error);
}

TEST_CASE("batch norm: the same bits each time") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const int channels = 24, rows = device == Device::cpu ? 20000 : 3000;
  const auto x = random_array(rows * channels, 1), dy = random_array(rows * channels, 2);
  const auto gamma = random_array(channels, 3), beta = random_array(channels, 4);
  require_same_bits_each_time(device, [&] { return Forward<float>(device, x, channels, gamma, beta).y; });
  const Forward<float> forward(device, x, channels, gamma, beta);
  require_same_bits_each_time(device, [&] { return Backward<float>(device, x, dy, channels, gamma, forward).dx; });
}

}  // namespace
}  // namespace diopter
