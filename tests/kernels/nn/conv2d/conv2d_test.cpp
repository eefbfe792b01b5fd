#include "kernels/nn/conv2d/conv2d.h"

#include "generated/cuda_kind.h"
#include "kernels/base/check.h"
#include "kernels/device/graph.h"
#include "kernels/device/memory.h"
#include "kernels/device/stream.h"
#include "tests/kernels/nn/conv2d/support.h"

namespace diopter {
namespace {

using namespace test;

std::vector<Conv2dShape> shapes() {
  const auto shape = [](std::initializer_list<LevelShape> in, int ins, int outs, int kernel, int stride, int padding) {
    return Conv2dShape{levels_of(in), ins, outs, kernel, stride, padding};
  };
  return {
      shape({{2, 5, 6}}, 3, 4, 3, 1, 1),
      shape({{1, 4, 7}}, 2, 3, 3, 1, 0),
      shape({{2, 3, 4}}, 2, 3, 3, 1, 3),
      shape({{1, 1, 1}}, 2, 3, 3, 1, 1),
      shape({{2, 9, 12}}, 3, 5, 7, 2, 3),
      shape({{2, 7, 6}}, 4, 3, 3, 2, 1),
      shape({{2, 5, 5}}, 6, 33, 1, 1, 0),
      shape({{1, 4, 5}}, 3, 2, 1, 1, 2),
      shape({{2, 5, 6}}, 5, 3, 1, 2, 0),
      shape({{1, 8, 9}}, 2, 2, 2, 3, 1),
      shape({{2, 7, 5}, {2, 3, 2}, {0, 4, 4}, {2, 1, 1}}, 17, 5, 3, 1, 1),
      shape({{1, 8, 6}, {0, 0, 0}, {3, 4, 3}}, 4, 6, 3, 2, 1),
      shape({{0, 8, 8}}, 3, 4, 3, 1, 1),
      shape({{1, 40, 41}}, 5, 7, 3, 1, 1),   // several blocks of rows
      shape({{3, 4, 4}}, 70, 130, 3, 1, 1),  // blocks of channels, weights by rows of the kernel
      shape({{2, 24, 24}, {2, 12, 12}}, 33, 36, 1, 1, 0),
  };
}

template <class T>
void forward_into(Device device, const Conv2dShape& s, const std::vector<T>& x, const std::vector<T>& w,
                  const Conv2dEpilogue<T>& epilogue, T* y, DeviceArrays& at) {
  const Conv2dForwardArgs<T> args{.shape = s, .x = at(x), .w = at(w), .y = y, .epilogue = epilogue};
  DIOPTER_DISPATCH(device, conv2d_forward, args);
}

template <class T>
std::vector<T> forward(Device device, const Conv2dShape& s, const std::vector<T>& x, const std::vector<T>& w) {
  auto y = garbage<T>(Data(s).y);
  on(device, [&](auto& at) { forward_into(device, s, x, w, {}, at(y), at); });
  return y;
}

template <class T>
std::vector<T> backward_data(Device device, const Conv2dShape& s, const std::vector<T>& dz, const std::vector<T>& w) {
  auto dx = garbage<T>(Data(s).x);
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, conv2d_backward_data, s, at(dz), at(w), at(dx)); });
  return dx;
}

template <class T>
std::vector<float> backward_weight(Device device, const Conv2dShape& s, const std::vector<T>& dz,
                                   const std::vector<T>& x) {
  auto dw = garbage(Data(s).w);
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, conv2d_backward_weight, s, at(dz), at(x), at(dw)); });
  return dw;
}

double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

TEMPLATE_TEST_CASE("conv2d: forward equals a plain loop", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (const Conv2dShape& s : shapes()) {
    INFO(name(s) << " on " << device_name(device));
    const auto x = random_array<TestType>(Data(s).x, 1), w = random_array<TestType>(Data(s).w, 2);
    require_close(to_float(forward(device, s, x, w)), plain_forward(s, x, w), tolerance<TestType>(Tolerance::matrix));
  }
}

TEST_CASE("conv2d: float results of bf16 inputs are not rounded") {
  const Device device = GENERATE(from_range(devices()));
  for (const Conv2dShape& s : shapes()) {
    INFO(name(s) << " on " << device_name(device));
    const auto x = random_array<bf16>(Data(s).x, 1), w = random_array<bf16>(Data(s).w, 2);
    const auto bias = random_array(s.out_channels, 3), residual = random_array(Data(s).y, 4);
    auto expected = plain_forward(s, x, w);
    for (std::size_t i = 0; i < expected.size(); ++i) expected[i] += bias[i % s.out_channels] + residual[i];
    auto y = garbage(Data(s).y);
    on(device, [&](auto& at) {
      const Conv2dForwardArgs<bf16, float> args{
          .shape = s, .x = at(x), .w = at(w), .y = at(y), .epilogue = {.bias = at(bias), .residual = at(residual)}};
      DIOPTER_DISPATCH(device, conv2d_forward, args);
    });
    require_close(y, expected, Tolerance::matrix);
  }
}

TEMPLATE_TEST_CASE("conv2d: backward passes equal plain loops", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (const Conv2dShape& s : shapes()) {
    INFO(name(s) << " on " << device_name(device));
    const Data size(s);
    const auto x = random_array<TestType>(size.x, 1), w = random_array<TestType>(size.w, 2);
    const auto dz = random_array<TestType>(size.y, 3);
    const auto [dx, dw] = plain_backward(s, dz, x, w);
    require_close(to_float(backward_data(device, s, dz, w)), dx, tolerance<TestType>(Tolerance::matrix));
    // On a GPU the gradients of bf16 weights are sums that cuDNN rounds to bf16, once for each level.
    const bool rounded = kHasGpu && device == Device::cuda;
    require_close(backward_weight(device, s, dz, x), dw,
                  rounded ? tolerance<TestType>(Tolerance::matrix) : Tolerance::matrix);
  }
}

// Any element may begin an array, a slice of another one for instance: each array stands off 16 bytes in turn.
TEMPLATE_TEST_CASE("conv2d: addresses that are aligned to an element only", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (const int kernel : {1, 3}) {
    const Conv2dShape s{Levels({2, 6, 5}), 16, 24, kernel, 1, kernel / 2};
    const auto x = random_array<TestType>(Data(s).x + 1, 1), w = random_array<TestType>(Data(s).w + 1, 2);
    const auto residual = random_array<TestType>(Data(s).y + 1, 3), dz = random_array<TestType>(Data(s).y + 1, 4);
    const auto bias = random_array(s.out_channels + 1, 5);
    const auto behind = [](const auto& values, bool off) {
      return std::vector(values.begin() + off, values.end() - !off);
    };
    for (int shifted = 0; shifted < 5; ++shifted) {
      INFO("kernel " << kernel << ", array " << shifted << " on " << device_name(device));
      const bool off_x = shifted == 0, off_w = shifted == 1, off_y = shifted == 2, off_bias = shifted == 3,
                 off_residual = shifted == 4;
      const auto of_x = behind(x, off_x), of_w = behind(w, off_w), of_residual = behind(residual, off_residual),
                 of_dz = behind(dz, off_y);
      const auto of_bias = behind(bias, off_bias);
      auto expected = plain_forward(s, of_x, of_w);
      const Conv2dEpilogue<TestType> parts{.bias = of_bias.data(), .residual = of_residual.data(), .relu = true};
      plain::conv2d_epilogue(s.out().rows(), s.out_channels, parts, expected.data());
      auto y = garbage<TestType>(Data(s).y + 1), dx = garbage<TestType>(Data(s).x + 1);
      auto dw = garbage(Data(s).w + 1);
      on(device, [&](auto& at) {
        const TestType *x_at = at(x) + off_x, *w_at = at(w) + off_w, *dz_at = at(dz) + off_y;
        const Conv2dForwardArgs<TestType> args{
            .shape = s,
            .x = x_at,
            .w = w_at,
            .y = at(y) + off_y,
            .epilogue = {.bias = at(bias) + off_bias, .residual = at(residual) + off_residual, .relu = true}};
        DIOPTER_DISPATCH(device, conv2d_forward, args);
        DIOPTER_DISPATCH(device, conv2d_backward_data, s, dz_at, w_at, at(dx) + off_x);
        DIOPTER_DISPATCH(device, conv2d_backward_weight, s, dz_at, x_at, at(dw) + off_w);
      });
      require_close(to_float(behind(y, off_y)), expected, tolerance<TestType>(Tolerance::matrix));
      const auto [expected_dx, expected_dw] = plain_backward(s, of_dz, of_x, of_w);
      require_close(to_float(behind(dx, off_x)), expected_dx, tolerance<TestType>(Tolerance::matrix));
      require_close(behind(dw, off_w), expected_dw,
                    kHasGpu ? tolerance<TestType>(Tolerance::matrix) : Tolerance::matrix);
    }
  }
}

TEST_CASE("conv2d: the backward passes are the adjoints of the forward pass") {
  const Device device = GENERATE(from_range(devices()));
  for (const Conv2dShape& s : shapes()) {
    INFO(name(s) << " on " << device_name(device));
    const auto x = random_array(Data(s).x, 4), w = random_array(Data(s).w, 5), dz = random_array(Data(s).y, 6);
    const double y_dz = dot(forward(device, s, x, w), dz);
    const double margin = Tolerance::matrix * (1.0 + std::sqrt(dot(dz, dz)));
    CHECK(std::fabs(dot(backward_data(device, s, dz, w), x) - y_dz) <= margin);
    CHECK(std::fabs(dot(backward_weight(device, s, dz, x), w) - y_dz) <= margin);
  }
}

TEMPLATE_TEST_CASE("conv2d: every part of the epilogue", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  // A GPU has other ways for 1x1, and for channels that fill 16 bytes.
  const Conv2dShape s = GENERATE(
      Conv2dShape{Levels({2, 20, 11}), 5, 6, 3, 1, 1}, Conv2dShape{Levels({2, 9, 7}), 32, 40, 3, 1, 1},
      Conv2dShape{levels_of({{2, 9, 7}, {2, 4, 3}}), 32, 40, 1, 1, 0}, Conv2dShape{Levels({1, 5, 3}), 7, 5, 1, 1, 0});
  const int outs = s.out_channels;
  const auto x = random_array<TestType>(Data(s).x, 1), w = random_array<TestType>(Data(s).w, 2);
  const auto residual = random_array<TestType>(Data(s).y, 3);
  const auto scale = random_array(outs, 4), bias = random_array(outs, 5);
  const auto z = plain_forward(s, x, w);
  for (int parts = 0; parts < 16; ++parts) {
    const bool has_scale = parts & 1, has_bias = parts & 2, has_residual = parts & 4, relu = parts & 8;
    INFO("scale " << has_scale << ", bias " << has_bias << ", residual " << has_residual << ", relu " << relu << " on "
                  << device_name(device));
    std::vector<double> expected = z;
    const Conv2dEpilogue<TestType> of_host{.scale = has_scale ? scale.data() : nullptr,
                                           .bias = has_bias ? bias.data() : nullptr,
                                           .residual = has_residual ? residual.data() : nullptr,
                                           .relu = relu};
    plain::conv2d_epilogue(s.out().rows(), outs, of_host, expected.data());
    for (bool in_place : {false, true}) {
      auto y = in_place ? residual : garbage<TestType>(z.size());
      on(device, [&](auto& at) {
        TestType* to = at(y);
        const Conv2dEpilogue<TestType> epilogue{.scale = has_scale ? at(scale) : nullptr,
                                                .bias = has_bias ? at(bias) : nullptr,
                                                .residual = !has_residual ? nullptr
                                                            : in_place    ? to
                                                                          : at(residual),
                                                .relu = relu};
        forward_into(device, s, x, w, epilogue, to, at);
      });
      require_close(to_float(y), expected, tolerance<TestType>(Tolerance::matrix));
    }
  }
}

#ifdef DIOPTER_WITH_CUDA
TEMPLATE_TEST_CASE("conv2d: the epilogue by itself", "", float, bf16) {
  if (!has_cuda()) return;
  for (const auto& [rows, channels] : std::vector<std::pair<std::int64_t, int>>{{0, 8}, {1, 1}, {33, 7}, {257, 264}}) {
    const std::size_t n = rows * channels;
    const auto z = random_array<TestType>(n, 1), residual = random_array<TestType>(n, 2);
    const auto scale = random_array(channels, 3), bias = random_array(channels, 4);
    for (int parts = 0; parts < 16; ++parts) {
      const bool has_scale = parts & 1, has_bias = parts & 2, has_residual = parts & 4, relu = parts & 8;
      INFO(rows << " rows, " << channels << " channels, parts " << parts);
      std::vector<double> expected(n);
      for (std::size_t i = 0; i < n; ++i) expected[i] = float(z[i]);
      const Conv2dEpilogue<TestType> of_host{.scale = has_scale ? scale.data() : nullptr,
                                             .bias = has_bias ? bias.data() : nullptr,
                                             .residual = has_residual ? residual.data() : nullptr,
                                             .relu = relu};
      plain::conv2d_epilogue(rows, channels, of_host, expected.data());
      auto y = z;  // in place
      on(Device::cuda, [&, row_count = rows, channel_count = channels](auto& at) {
        const Conv2dEpilogue<TestType> epilogue{.scale = has_scale ? at(scale) : nullptr,
                                                .bias = has_bias ? at(bias) : nullptr,
                                                .residual = has_residual ? at(residual) : nullptr,
                                                .relu = relu};
        cuda::conv2d_epilogue<TestType>(row_count, channel_count, at(y), epilogue, at(y));
      });
      require_close(to_float(y), expected, tolerance<TestType>(Tolerance::elementwise));
    }
  }
}

TEMPLATE_TEST_CASE("conv2d: a scale folded into weights", "", float, bf16) {
  if (!has_cuda()) return;
  for (const auto& [outs, row] : std::vector<std::pair<int, int>>{{1, 1}, {5, 27}, {64, 64}, {3, 2304}, {300, 9}}) {
    INFO(outs << " channels, rows of " << row);
    const auto w = random_array<TestType>(std::size_t(outs) * row, 1);
    const auto scale = random_array(outs, 2);
    std::vector<double> expected(w.size());
    for (std::size_t i = 0; i < w.size(); ++i) expected[i] = double(scale[i / row]) * float(w[i]);
    for (const bool in_place : {false, true}) {
      auto result = in_place ? w : garbage<TestType>(w.size());
      on(Device::cuda, [&, out_channels = outs, size = row](auto& at) {
        TestType* to = at(result);
        cuda::conv2d_scaled_weights<TestType>(out_channels, size, in_place ? to : at(w), at(scale), to);
      });
      require_close(to_float(result), expected, tolerance<TestType>(Tolerance::elementwise));
    }
  }
}
#endif

// Through every way that a GPU has: 1x1 and 3x3, few channels and whole packs, with and without a bias.
TEMPLATE_TEST_CASE("conv2d: a NaN passes through the relu of the epilogue", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (const Conv2dShape& s : {Conv2dShape{Levels({1, 1, 2}), 1, 1, 1}, Conv2dShape{Levels({1, 4, 5}), 256, 256, 1},
                               Conv2dShape{Levels({1, 4, 5}), 256, 256, 3, 1, 1}}) {
    for (const bool biased : {false, true}) {
      INFO(name(s) << ", bias " << biased << " on " << device_name(device));
      const auto w = std::vector<TestType>(Data(s).w, TestType(1.0f));
      auto x = std::vector<TestType>(Data(s).x, TestType(-1.0f));
      x[0] = TestType(kNan);  // in the first pixel's sums, but not in the last one's
      const std::vector<float> bias(s.out_channels, -1.0f);
      auto y = garbage<TestType>(Data(s).y);
      on(device, [&](auto& at) {
        const Conv2dEpilogue<TestType> epilogue{.bias = biased ? at(bias) : nullptr, .relu = true};
        forward_into(device, s, x, w, epilogue, at(y), at);
      });
      CHECK(std::isnan(float(y.front())));
      CHECK(float(y.back()) == 0.0f);
    }
  }
}

TEMPLATE_TEST_CASE("conv2d: gradient through the epilogue", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  for (const auto& [rows, channels] : std::vector<std::pair<std::int64_t, int>>{
           {0, 7}, {1, 7}, {33, 7}, {12000, 7}, {31, 32}, {257, 255}, {256, 256}, {600, 264}}) {
    const std::size_t n = rows * channels;
    const auto y = random_array<TestType>(n, 1), dy = random_array<TestType>(n, 2);
    const auto scale = random_array(channels, 3);
    for (bool relu : {false, true}) {
      for (bool scaled : {false, true}) {
        INFO(rows << " rows, " << channels << " channels, relu " << relu << ", scale " << scaled << " on "
                  << device_name(device));
        std::vector<double> masked(n), dz(n), dbias(channels);
        for (std::size_t i = 0; i < n; ++i) {
          masked[i] = !relu || float(y[i]) > 0.0f ? float(dy[i]) : 0.0;
          dz[i] = masked[i] * (scaled ? scale[i % channels] : 1.0);
          dbias[i % channels] += masked[i];
        }
        auto actual_dz = dy;  // in place
        auto dresidual = garbage<TestType>(n);
        auto actual_dbias = garbage(channels);
        on(device, [&, row_count = rows, channel_count = channels](auto& at) {
          TestType* gradient = at(actual_dz);
          const Conv2dEpilogueBackwardArgs<TestType> args{.rows = row_count,
                                                          .channels = channel_count,
                                                          .y = relu ? at(y) : nullptr,
                                                          .scale = scaled ? at(scale) : nullptr,
                                                          .dy = gradient,
                                                          .dz = gradient,
                                                          .dresidual = at(dresidual),
                                                          .dbias = at(actual_dbias)};
          DIOPTER_DISPATCH(device, conv2d_epilogue_backward, args);
        });
        require_close(to_float(actual_dz), dz, tolerance<TestType>(Tolerance::elementwise));
        require_close(to_float(dresidual), masked, Tolerance::copy);
        require_close(actual_dbias, dbias, Tolerance::sum);
      }
    }
  }
}

TEST_CASE("conv2d: gradient through the epilogue with only some outputs") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const std::vector<float> y{1, 0, 2, 3}, dy{1, 2, 3, 4};
  auto dresidual = garbage(4), dbias = garbage(2);
  on(device, [&](auto& at) {
    const Conv2dEpilogueBackwardArgs<float> args{
        .rows = 2, .channels = 2, .y = at(y), .dy = at(dy), .dresidual = at(dresidual)};
    DIOPTER_DISPATCH(device, conv2d_epilogue_backward, args);
  });
  CHECK(dresidual == std::vector<float>{1, 0, 3, 4});
  on(device, [&](auto& at) {
    const Conv2dEpilogueBackwardArgs<float> args{
        .rows = 2, .channels = 2, .y = at(y), .dy = at(dy), .dbias = at(dbias)};
    DIOPTER_DISPATCH(device, conv2d_epilogue_backward, args);
  });
  CHECK(dbias == std::vector<float>{4, 4});
}

TEST_CASE("conv2d: the same bits each time") {
  const Device device = GENERATE(from_range(devices()));
  const Conv2dShape list[] = {{Levels({3, 33, 31}), 16, 24, 3, 1, 1},
                              {Levels({2, 48, 48}), 3, 16, 7, 2, 3},
                              {levels_of({{2, 40, 40}, {2, 20, 20}}), 64, 32, 1, 1, 0},
                              {Levels({2, 8, 8}), 96, 160, 3, 1, 1}};
  for (const Conv2dShape& s : list) {
    INFO(name(s) << " on " << device_name(device));
    const auto x = random_array(Data(s).x, 7), w = random_array(Data(s).w, 8), dz = random_array(Data(s).y, 9);
    require_same_bits_each_time(device, [&] { return forward(device, s, x, w); });
    require_same_bits_each_time(device, [&] { return backward_data(device, s, dz, w); });
    require_same_bits_each_time(device, [&] { return backward_weight(device, s, dz, x); });
    require_same_bits_each_time(device, [&] {
      auto dbias = garbage(s.out_channels);
      on(device, [&](auto& at) {
        const Conv2dEpilogueBackwardArgs<float> args{
            .rows = s.out().rows(), .channels = s.out_channels, .dy = at(dz), .dbias = at(dbias)};
        DIOPTER_DISPATCH(device, conv2d_epilogue_backward, args);
      });
      return dbias;
    });
  }
}

#ifdef DIOPTER_WITH_CUDNN
TEMPLATE_TEST_CASE("conv2d: the first convolution of a shape cannot be recorded, the next can", "", float, bf16) {
  if (!has_cuda()) return;
  for (const int kernel : {1, 3}) {
    const Conv2dShape s{Levels({1, 13, 11}), 48, 56, kernel, 1, kernel / 2};  // of no other test
    const auto x = random_array<TestType>(Data(s).x, 1), w = random_array<TestType>(Data(s).w, 2);
    auto y = garbage<TestType>(Data(s).y);
    on(Device::cuda, [&](auto& at) {
      const Conv2dForwardArgs<TestType> args{.shape = s, .x = at(x), .w = at(w), .y = at(y)};
      const auto convolve = [&] { cuda::conv2d_forward(args); };
      CHECK_THROWS_AS(cuda::capture_graph(convolve), Error);
      convolve();
      const auto recorded = cuda::capture_graph(convolve);
      cuda::zero(args.y, Data(s).y * sizeof(TestType));
      recorded();
      cuda::synchronize();
    });
    require_close(to_float(y), plain_forward(s, x, w), tolerance<TestType>(Tolerance::matrix));
  }
}
#endif

TEST_CASE("conv2d: impossible shapes are errors") {
  const Device device = GENERATE(from_range(devices()));
  const std::vector<float> x(64), w(64);
  const auto run = [&](const Conv2dShape& s) {
    on(device, [&](auto& at) { forward_into<float>(device, s, x, w, {}, nullptr, at); });
  };
  CHECK_THROWS_AS(run({Levels({1, 2, 8}), 1, 1, 3, 1, 0}), Error);
  CHECK_THROWS_AS(run({Levels({1, 1, 1}), 1, 1, 2, 2, 0}), Error);
  CHECK_THROWS_AS(run({Levels({1, 0, 4}), 1, 1, 3, 1, 2}), Error);
  CHECK_THROWS_AS(run({Levels({1, 4, 4}), 0, 1, 3, 1, 1}), Error);
  CHECK_THROWS_AS(run({Levels({1, 4, 4}), 1, 1, 3, 0, 1}), Error);
  CHECK_THROWS_AS(run({Levels({1, 4, 4}), 1, 1, 3, 1, -1}), Error);
  Conv2dShape most{{}, 1, 1, 3, 1, 1};
  most.in.count = kMaxLevels;
  for (LevelShape& level : most.in.level) level = {1, 4, 4};
  CHECK_NOTHROW(validate(most));
  most.in.count = kMaxLevels + 1;
  CHECK_THROWS_AS(validate(most), Error);
}

}  // namespace
}  // namespace diopter
