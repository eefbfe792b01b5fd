// Values, shapes and errors of the operations. Their gradients: gradients_test.cpp.
#include "engine/ops.h"

#include <cmath>

#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;

Variable map(const Shape& shape, const std::vector<float>& values, Device device) {
  return Variable(Tensor::from(shape, values, device));
}

std::vector<float> values_of(const Variable& x) { return x.value().to_vector<float>(); }

Pyramid random_pyramid(int channels, std::uint64_t seed, Device device) {
  std::vector<Variable> maps;
  for (const Shape& shape : {Shape{2, 4, 5, channels}, Shape{2, 2, 3, channels}, Shape{2, 1, 1, channels}}) {
    maps.emplace_back(random_tensor(shape, seed++, device));
  }
  return concat_levels(maps);
}

TEST_CASE("conv2d: literal values with every part of the epilogue") {
  for (Device device : devices()) {
    const Variable x = map({1, 3, 3, 1}, {1, 2, 3, 4, 5, 6, 7, 8, 9}, device);
    const Variable w = map({1, 3, 3, 1}, {0, 1, 0, 0, 1, 0, 0, 0, 2}, device);  // above + itself + 2 lower right
    const std::vector<float> z{11, 14, 3, 21, 25, 9, 11, 13, 15};
    CHECK(values_of(conv2d(x, w, {.padding = 1})) == z);
    CHECK(values_of(conv2d(x, w, {})) == std::vector<float>{25});
    CHECK(values_of(conv2d(x, w, {.stride = 2, .padding = 1})) == std::vector<float>{11, 3, 11, 15});

    const Variable bias = map({1}, {-40}, device);
    const Variable residual = map({1, 3, 3, 1}, {0, 0, 40, 0, 0, 0, 0, 0, 0.5f}, device);
    const Conv2dParams params{
        .padding = 1, .bias = bias, .scale = Tensor::full({1}, 2, device), .residual = residual, .relu = true};
    CHECK(values_of(conv2d(x, w, params)) == std::vector<float>{0, 0, 6, 2, 10, 0, 0, 0, 0});
  }
}

TEST_CASE("conv2d: the levels of a pyramid are convolved one by one") {
  for (Device device : devices()) {
    const Pyramid x = random_pyramid(3, 1, device);
    const Variable w(random_tensor({5, 3, 3, 3}, 4, device)), bias(random_tensor({5}, 5, device));
    for (int stride : {1, 2}) {
      const Conv2dParams params{.stride = stride, .padding = 1, .bias = bias, .relu = true};
      const Pyramid y = conv2d(x, w, params);
      CHECK(y.channels() == 5);
      for (int l = 0; l < x.levels.count; ++l) {
        const Variable expected = conv2d(Variable(x.level(l)), w, params);
        REQUIRE(y.level(l).shape() == expected.shape());
        require_close(y.level(l).to_vector<float>(), values_of(expected), Tolerance::matrix);
      }
    }
  }
}

TEST_CASE("group_norm: each image of each level by itself") {
  for (Device device : devices()) {
    const Pyramid x = random_pyramid(4, 1, device);
    const Variable gamma(random_tensor({4}, 4, device)), beta(random_tensor({4}, 5, device));
    const Pyramid y = group_norm(x, gamma, beta, 2, 1e-5f);
    CHECK(y.levels == x.levels);
    for (int l = 0; l < x.levels.count; ++l) {
      for (int image = 0; image < 2; ++image) {
        const Variable expected = group_norm(Variable(x.level(l).slice(image, image + 1)), gamma, beta, 2, 1e-5f);
        require_close(y.level(l).slice(image, image + 1).to_vector<float>(), values_of(expected), Tolerance::sum);
      }
    }
  }
}

TEST_CASE("group_norm: literal values") {
  for (Device device : devices()) {
    const Variable x = map({1, 1, 2, 2}, {1, 10, 3, 30}, device), gamma = map({2}, {2, 3}, device),
                   beta = map({2}, {0, 1}, device);
    // Groups of one channel: means 2 and 20, deviations 1 and 10. One group: mean 11, variance 131.5.
    require_close(values_of(group_norm(x, gamma, beta, 2, 0)), std::vector<double>{-2, -2, 2, 4}, Tolerance::sum);
    const double rstd = 1 / std::sqrt(131.5 + 0.5);
    require_close(values_of(group_norm(x, gamma, beta, 1, 0.5f)),
                  std::vector<double>{-20 * rstd, -3 * rstd + 1, -16 * rstd, 57 * rstd + 1}, Tolerance::sum);
  }
}

TEST_CASE("batch_norm: literal values and running statistics") {
  for (Device device : devices()) {
    const Variable x = map({2, 1, 2, 1}, {1, 2, 3, 4}, device), gamma = map({1}, {2}, device),
                   beta = map({1}, {1}, device);
    const RunningStatistics running{Tensor::full({1}, 5, device), Tensor::full({1}, 1, device)};
    const double step = 2 / std::sqrt(1.25 + 0.25);
    require_close(values_of(batch_norm(x, gamma, beta, running, 0.1f, 0.25f)),
                  std::vector<double>{1 - 1.5 * step, 1 - 0.5 * step, 1 + 0.5 * step, 1 + 1.5 * step}, Tolerance::sum);
    CHECK(running.mean.item() == Approx(0.9 * 5 + 0.1 * 2.5));
    CHECK(running.var.item() == Approx(0.9 * 1 + 0.1 * 5.0 / 3.0));  // the unbiased variance
  }
}

TEST_CASE("Elementwise operations: literal values") {
  for (Device device : devices()) {
    const Variable x = map({1, 1, 2, 2}, {-1, 2, 0, -3}, device);
    CHECK(values_of(relu(x)) == std::vector<float>{0, 2, 0, 0});
    CHECK(values_of(add(x, x)) == std::vector<float>{-2, 4, 0, -6});
    require_close(values_of(sigmoid(x)),
                  std::vector<double>{0.2689414213699951, 0.8807970779778823, 0.5, 0.04742587317756678},
                  Tolerance::elementwise);
    const Tensor scale = Tensor::from({2}, std::vector<float>{2, 3}, device), shift = Tensor::full({2}, 1, device);
    CHECK(values_of(channel_affine(x, scale, shift)) == std::vector<float>{-1, 7, 1, -8});
    CHECK(values_of(sum(x)) == std::vector<float>{-2});
    CHECK(sum(x).shape() == Shape{1});
  }
}

TEST_CASE("max_pool and upsample: literal values") {
  for (Device device : devices()) {
    const Variable x = map({1, 3, 3, 1}, {1, 2, 3, 6, 5, 4, 7, 8, 9}, device);
    CHECK(values_of(max_pool(x, 3, 2, 1)) == std::vector<float>{6, 5, 8, 9});
    CHECK(values_of(max_pool(x, 2, 1, 0)) == std::vector<float>{6, 5, 8, 9});
    const Variable y = upsample(map({1, 2, 3, 1}, {1, 2, 3, 4, 5, 6}, device), 3, 5);
    CHECK(y.shape() == Shape{1, 3, 5, 1});
    CHECK(values_of(y) == std::vector<float>{1, 1, 2, 2, 3, 1, 1, 2, 2, 3, 4, 4, 5, 5, 6});
  }
}

TEST_CASE("concat_levels: level after level") {
  for (Device device : devices()) {
    const Variable a = map({2, 1, 2, 1}, {1, 2, 3, 4}, device), b = map({2, 1, 1, 1}, {5, 6}, device);
    const Pyramid y = concat_levels({a, b});
    CHECK(values_of(y.rows) == std::vector<float>{1, 2, 3, 4, 5, 6});
    CHECK(y.rows.shape() == Shape{6, 1});
    CHECK(y.levels.count == 2);
    CHECK(y.level(0).shape() == a.shape());
    CHECK(y.level(1).to_vector<float>() == std::vector<float>{5, 6});
    CHECK(y.level(1).shape() == Shape{2, 1, 1, 1});
  }
}

TEST_CASE("Operations on no images") {
  for (Device device : devices()) {
    const auto none = [device](int channels) {
      return Variable(Tensor::zeros({0, 4, 4, channels}, DType::f32, device), true);
    };
    const Variable x = none(4), w(random_tensor({4, 3, 3, 4}, 1, device), true),
                   gamma(Tensor::full({4}, 1, device), true);
    Tape tape;
    Variable y = conv2d(x, w, {.padding = 1, .bias = gamma, .residual = x, .relu = true});
    y = group_norm(add(relu(y), sigmoid(y)), gamma, gamma, 2, 1e-5f);
    y = upsample(max_pool(channel_affine(y, gamma.value(), gamma.value()), 3, 2, 1), 4, 4);
    const Variable total = sum(conv2d(concat_levels({y, y}), w, {.padding = 1}).rows);
    CHECK(total.value().item() == 0);
    tape.backward({total});
    CHECK(x.gradient()->tensor().size() == 0);
    CHECK(w.gradient()->tensor().to_vector<float>() == std::vector<float>(4 * 9 * 4, 0));
    CHECK(gamma.gradient()->tensor().to_vector<float>() == std::vector<float>(4, 0));
  }
}

TEST_CASE("Shapes that do not fit are errors") {
  const auto zeros = [](const Shape& shape) { return Variable(Tensor::zeros(shape)); };
  const Variable x = zeros({2, 5, 6, 3}), w = zeros({4, 3, 3, 3}), four = zeros({4});
  const auto conv_error = [&](const Variable& input, const Variable& weights, const Conv2dParams& params) {
    return error_of([&] { conv2d(input, weights, params); });
  };
  CHECK(conv_error(x, zeros({4, 3, 3, 2}), {}) ==
        "conv2d of [2, 5, 6, 3] with weights [4, 3, 3, 2], stride 1, padding 0");
  CHECK(conv_error(x, zeros({4, 3, 2, 3}), {}) != "");
  CHECK(conv_error(x, zeros({4, 27}), {}) != "");
  CHECK(conv_error(x, w, {.stride = 0}) != "");
  CHECK(conv_error(x, zeros({4, 6, 6, 3}), {.stride = 2}) != "");  // larger than the map
  CHECK(conv_error(zeros({30, 3}), w, {}) == "a feature map is [N, H, W, C], not [30, 3]");
  CHECK(conv_error(x, w, {.padding = 1, .bias = zeros({3})}) == "conv2d to [2, 5, 6, 4] with bias [3]");
  CHECK(conv_error(x, w, {.padding = 1, .scale = Tensor::zeros({5})}) == "conv2d to [2, 5, 6, 4] with scale [5]");
  CHECK(conv_error(x, w, {.residual = zeros({2, 5, 6, 4})}) == "conv2d to [2, 3, 4, 4] with residual [2, 5, 6, 4]");

  const auto norm = [&](const Variable& gamma, const Variable& beta) {
    return error_of([&] { group_norm(zeros({2, 5, 6, 4}), gamma, beta, 2, 0); });
  };
  CHECK(norm(four, four) == "");
  CHECK(norm(zeros({3}), four) == "a norm of 4 channels with weight [3] and bias [4]");
  CHECK(norm(four, zeros({5})) == "a norm of 4 channels with weight [4] and bias [5]");
  CHECK(error_of([&] { group_norm(zeros({2, 5, 6, 4}), four, four, 3, 0); }) == "3 groups do not divide 4 channels");
  const RunningStatistics running{Tensor::zeros({4}), Tensor::zeros({4})};
  CHECK(error_of([&] { batch_norm(x, four, four, running, 0, 1); }) ==
        "a norm of 3 channels with weight [4] and bias [4]");
  CHECK(error_of([&] { channel_affine(x, four.value(), four.value()); }) ==
        "a norm of 3 channels with weight [4] and bias [4]");

  CHECK(error_of([&] { add(four, zeros({3})); }) == "sum of [4] and [3]");
  CHECK(error_of([&] { max_pool(x, 3, 2, 2); }) == "max_pool of [2, 5, 6, 3] with kernel 3, stride 2, padding 2");
  CHECK(error_of([&] { max_pool(x, 6, 2, 0); }) != "");
  CHECK(error_of([&] { upsample(x, 4, 12); }) == "upsampling of [2, 5, 6, 3] to 4 x 12");
  CHECK(error_of([&] { concat_levels({}); }) == "0 feature maps, 1 to 8 are possible");
  CHECK(error_of([&] { concat_levels(std::vector<Variable>(9, x)); }) == "9 feature maps, 1 to 8 are possible");
  CHECK(error_of([&] { concat_levels({x, zeros({2, 2, 2, 4})}); }) == "levels of 3 and 4 channels");
  CHECK(error_of([&] { relu(Variable(Tensor::zeros({3}, DType::i32))); }) == "no arithmetic on i32 tensors");
}

}  // namespace
}  // namespace diopter
