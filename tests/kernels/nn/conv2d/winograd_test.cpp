#include "kernels/nn/conv2d/winograd.h"

#include <utility>

#include "tests/kernels/nn/conv2d/support.h"

namespace diopter {
namespace {

using namespace test;

/// Largest error relative to the largest value that winograd.h promises.
constexpr double kError = 2e-5;

Conv2dShape shape(std::initializer_list<LevelShape> in, int ins, int outs, int padding = 1) {
  return {levels_of(in), ins, outs, 3, 1, padding};
}

std::vector<Conv2dShape> winograd_shapes() {
  return {shape({{1, 4, 4}}, 1, 1),
          shape({{2, 5, 6}}, 3, 4),
          shape({{1, 9, 7}}, 16, 17),
          shape({{1, 3, 2}}, 33, 15),
          shape({{1, 1, 1}}, 2, 3),
          shape({{2, 8, 11}}, 5, 6, 0),
          shape({{1, 6, 9}}, 4, 20, 2),
          shape({{0, 8, 8}}, 3, 4),
          shape({{2, 7, 5}, {2, 3, 2}, {0, 4, 4}, {2, 1, 1}}, 18, 5),
          shape({{1, 70, 66}}, 40, 40)};  // several chunks of tiles
}

/// The largest |a - b| relative to the largest |b|.
template <class T>
void require_error_below(const std::vector<T>& actual, const std::vector<double>& expected, double most) {
  REQUIRE(actual.size() == expected.size());
  double error = 0, largest = 0;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(float(actual[i])) - expected[i]);
    error = std::isnan(difference) ? difference : std::max(error, difference);
    largest = std::max(largest, std::fabs(expected[i]));
    if (std::isnan(error)) break;
  }
  CHECK(error <= most * largest);
}

TEMPLATE_TEST_CASE("winograd: all passes equal plain loops", "", float, bf16) {
  const double most = std::is_same_v<TestType, float> ? kError : Tolerance::bf16;
  for (const Conv2dShape& s : winograd_shapes()) {
    INFO(name(s));
    const Data size(s);
    const auto x = random_array<TestType>(size.x, 1), w = random_array<TestType>(size.w, 2);
    const auto dz = random_array<TestType>(size.y, 3);
    auto y = garbage<TestType>(size.y), dx = garbage<TestType>(size.x);
    auto dw = garbage(size.w);
    cpu::winograd_forward(Conv2dForwardArgs<TestType>{.shape = s, .x = x.data(), .w = w.data(), .y = y.data()});
    require_error_below(y, plain_forward(s, x, w), most);
    const auto [expected_dx, expected_dw] = plain_backward(s, dz, x, w);
    cpu::winograd_backward_data(s, dz.data(), w.data(), dx.data());
    require_error_below(dx, expected_dx, most);
    cpu::winograd_backward_weight(s, dz.data(), x.data(), dw.data());
    require_error_below(dw, expected_dw, kError);
  }
}

// Positive inputs and weights, as behind a ReLU: the terms of the transforms cancel, the sums do not.
TEST_CASE("winograd: the stated error also holds for long sums of one sign") {
  const Conv2dShape s = shape({{1, 16, 16}}, 256, 32);
  const auto x = uniform(Data(s).x, 0.0f, 1.0f, 1), w = uniform(Data(s).w, 0.0f, 1.0f, 2),
             dz = uniform(Data(s).y, 0.0f, 1.0f, 3);
  std::vector<float> y(Data(s).y), dx(Data(s).x), dw(Data(s).w);
  cpu::winograd_forward(Conv2dForwardArgs<float>{.shape = s, .x = x.data(), .w = w.data(), .y = y.data()});
  require_error_below(y, plain_forward(s, x, w), kError);
  const auto [expected_dx, expected_dw] = plain_backward(s, dz, x, w);
  cpu::winograd_backward_data(s, dz.data(), w.data(), dx.data());
  require_error_below(dx, expected_dx, kError);
  cpu::winograd_backward_weight(s, dz.data(), x.data(), dw.data());
  require_error_below(dw, expected_dw, kError);
}

TEST_CASE("winograd: the epilogue, also in place of the residual") {
  const Conv2dShape s = shape({{2, 9, 6}}, 8, 20);
  const Data size(s);
  const auto x = random_array(size.x, 1), w = random_array(size.w, 2), residual = random_array(size.y, 3);
  const auto scale = random_array(20, 4), bias = random_array(20, 5);
  auto expected = plain_forward(s, x, w);
  for (std::size_t i = 0; i < expected.size(); ++i) {
    expected[i] = std::max(0.0, expected[i] * scale[i % 20] + bias[i % 20] + residual[i]);
  }
  auto y = garbage(size.y), in_place = residual;
  const auto run = [&](const float* from, float* to) {
    cpu::winograd_forward(Conv2dForwardArgs<float>{
        .shape = s,
        .x = x.data(),
        .w = w.data(),
        .y = to,
        .epilogue = {.scale = scale.data(), .bias = bias.data(), .residual = from, .relu = true}});
  };
  run(residual.data(), y.data());
  require_error_below(y, expected, kError);
  run(in_place.data(), in_place.data());
  CHECK(in_place == y);
}

TEST_CASE("winograd: the same bits for any number of threads") {
  const Conv2dShape s = shape({{2, 40, 37}}, 33, 48);
  const Data size(s);
  const auto x = random_array(size.x, 1), w = random_array(size.w, 2), dz = random_array(size.y, 3);
  require_same_bits_each_time(Device::cpu, [&] {
    std::vector<float> all(size.y + size.x + size.w);
    float *y = all.data(), *dx = y + size.y, *dw = dx + size.x;
    cpu::winograd_forward(Conv2dForwardArgs<float>{.shape = s, .x = x.data(), .w = w.data(), .y = y});
    cpu::winograd_backward_data(s, dz.data(), w.data(), dx);
    cpu::winograd_backward_weight(s, dz.data(), x.data(), dw);
    return all;
  });
}

TEST_CASE("winograd: taken for large 3x3 convolutions of stride 1, unless it is not allowed") {
  const Conv2dShape large = shape({{2, 32, 32}}, 64, 64);
  CHECK(cpu::winograd_pays(large));
  Conv2dShape other = large;
  other.stride = 2;
  CHECK(!cpu::winograd_pays(other));
  other = large;
  other.kernel = 1;
  CHECK(!cpu::winograd_pays(other));
  CHECK(!cpu::winograd_pays(shape({{2, 32, 32}}, 3, 64)));
  CHECK(!cpu::winograd_pays(shape({{1, 4, 4}}, 256, 256)));
  CHECK(!cpu::winograd_pays(shape({{100, 1, 1}}, 256, 256)));  // 15/16 of each tile for nothing
  cpu::allow_winograd(false);
  CHECK(!cpu::winograd_pays(large));
  cpu::allow_winograd(true);
  CHECK(cpu::winograd_pays(large));
}

// Through the public functions, where they go to winograd.cpp: both ways agree.
TEST_CASE("winograd: conv2d takes it, and gives the direct result without it") {
  const Conv2dShape s = shape({{1, 40, 40}}, 32, 32);
  REQUIRE(cpu::winograd_pays(s));
  const auto x = random_array(Data(s).x, 1), w = random_array(Data(s).w, 2);
  const auto forward = [&] {
    std::vector<float> y(Data(s).y);
    cpu::conv2d_forward(Conv2dForwardArgs<float>{.shape = s, .x = x.data(), .w = w.data(), .y = y.data()});
    return y;
  };
  const std::vector<float> fast = forward();
  cpu::allow_winograd(false);
  const std::vector<float> direct = forward();
  cpu::allow_winograd(true);
  const std::vector<double> expected = plain_forward(s, x, w);
  require_error_below(fast, expected, kError);
  require_error_below(direct, expected, 1e-6);
  CHECK(fast != direct);
}

}  // namespace
}  // namespace diopter
