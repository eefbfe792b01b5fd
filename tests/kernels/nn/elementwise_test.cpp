#include "kernels/nn/elementwise.h"

#include "kernels/plain/elementwise.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

constexpr int kSizes[] = {0, 1, 31, 32, 33, 255, 256, 257, 70001};

/// Requires run(at, y) to write expected(i) to every y[i], out of place, wherever in memory the arrays begin.
template <class T, class Run, class Expected>
void require_elements(Device device, int n, double tolerance, Run run, Expected expected) {
  std::vector<double> values(n);
  for (int i = 0; i < n; ++i) values[i] = expected(i);
  for (int offset : {0, 1}) {
    auto y = garbage<T>(n);
    on(
        device, [&](auto& at) { run(at, at(y)); }, offset);
    require_close(to_float(y), values, tolerance);
  }
}

TEMPLATE_TEST_CASE("elementwise: every operation at many sizes", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  const double close = tolerance<TestType>(Tolerance::elementwise);
  for (int n : kSizes) {
    INFO(n << " elements on " << device_name(device));
    const auto a = random_array<TestType>(n, 1), b = random_array<TestType>(n, 2);
    const auto x = [&](int i) { return static_cast<double>(float(a[i])); };
    const auto g = [&](int i) { return static_cast<double>(float(b[i])); };
    require_elements<TestType>(
        device, n, Tolerance::copy,
        [&](auto& at, TestType* y) { DIOPTER_DISPATCH(device, activation_forward, Activation::relu, n, at(a), y); },
        [&](int i) { return plain::relu(x(i)); });
    require_elements<TestType>(
        device, n, Tolerance::copy,
        [&](auto& at, TestType* y) {
          DIOPTER_DISPATCH(device, activation_backward, Activation::relu, n, at(a), at(b), y);
        },
        [&](int i) { return plain::relu_backward(x(i), g(i)); });
    require_elements<TestType>(
        device, n, close,
        [&](auto& at, TestType* y) { DIOPTER_DISPATCH(device, activation_forward, Activation::sigmoid, n, at(a), y); },
        [&](int i) { return plain::sigmoid(x(i)); });
    require_elements<TestType>(
        device, n, close,
        [&](auto& at, TestType* y) {
          DIOPTER_DISPATCH(device, activation_backward, Activation::sigmoid, n, at(a), at(b), y);
        },
        [&](int i) { return plain::sigmoid_backward(x(i), g(i)); });
    require_elements<TestType>(
        device, n, close, [&](auto& at, TestType* y) { DIOPTER_DISPATCH(device, add, n, at(a), at(b), y); },
        [&](int i) { return x(i) + g(i); });
    const std::vector<float> factor{-2.5f};
    require_elements<TestType>(
        device, n, close, [&](auto& at, TestType* y) { DIOPTER_DISPATCH(device, scale, n, at(factor), at(a), y); },
        [&](int i) { return -2.5 * x(i); });
    require_elements<TestType>(
        device, n, Tolerance::copy, [&](auto&, TestType* y) { DIOPTER_DISPATCH(device, fill, n, 0.75f, y); },
        [](int) { return 0.75; });
    require_elements<float>(
        device, n, Tolerance::copy, [&](auto& at, float* y) { DIOPTER_DISPATCH(device, cast, n, at(a), y); }, x);
    require_elements<bf16>(
        device, n, Tolerance::copy, [&](auto& at, bf16* y) { DIOPTER_DISPATCH(device, cast, n, at(a), y); },
        [&](int i) { return float(bf16(float(a[i]))); });
  }
}

TEMPLATE_TEST_CASE("elementwise: in place gives the same bits", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const int n = 70001;
  const auto a = random_array<TestType>(n, 1), b = random_array<TestType>(n, 2);
  auto apart = garbage<TestType>(n), in_place = a;
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, activation_forward, Activation::relu, n, at(a), at(apart)); });
  on(device,
     [&](auto& at) { DIOPTER_DISPATCH(device, activation_forward, Activation::relu, n, at(in_place), at(in_place)); });
  CHECK(same_bits(in_place, apart));
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, add, n, at(a), at(b), at(apart)); });
  in_place = a;
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, add, n, at(in_place), at(b), at(in_place)); });
  CHECK(same_bits(in_place, apart));
  in_place = b;
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, add, n, at(a), at(in_place), at(in_place)); });
  CHECK(same_bits(in_place, apart));
  in_place = b;
  on(device,
     [&](auto& at) { DIOPTER_DISPATCH(device, activation_backward, Activation::relu, n, at(a), at(b), at(apart)); });
  on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, activation_backward, Activation::relu, n, at(a), at(in_place), at(in_place));
  });
  CHECK(same_bits(in_place, apart));
}

TEST_CASE("elementwise: lerp moves towards x") {
  const Device device = GENERATE(from_range(devices()));
  for (int n : kSizes) {
    INFO(n << " elements on " << device_name(device));
    const auto x = random_array(n, 1), start = random_array(n, 2);
    const std::vector<float> weight{0.25f};
    auto y = start;
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, lerp, n, at(weight), at(x), at(y)); });
    std::vector<double> expected(n);
    for (int i = 0; i < n; ++i) expected[i] = plain::lerp(0.25, x[i], start[i]);
    require_close(y, expected, Tolerance::elementwise);
  }
}

TEST_CASE("elementwise: NaN and extreme values") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{kNan, -infinity, infinity, -1e4f, 1e4f, -0.0f};
  std::vector<float> y(x.size());
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, activation_forward, Activation::relu, 6, at(x), at(y)); });
  CHECK(std::isnan(y[0]));
  CHECK(std::vector<float>(y.begin() + 1, y.end()) == std::vector<float>{0, infinity, 0, 1e4f, 0});
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, activation_forward, Activation::sigmoid, 6, at(x), at(y)); });
  CHECK(std::isnan(y[0]));
  CHECK(std::vector<float>(y.begin() + 1, y.end()) == std::vector<float>{0, 1, 0, 1, 0.5f});
}

TEST_CASE("sigmoid: the formula in double, its derivative y (1 - y) and its symmetry") {
  for (double x = -40; x <= 40; x += 0.37) {
    const double y = sigmoid(x), h = 1e-5;
    CHECK(std::fabs((sigmoid(x + h) - sigmoid(x - h)) / (2 * h) - y * (1 - y)) < 1e-8);
    CHECK(std::fabs(y + sigmoid(-x) - 1) < 1e-15);
  }
}

}  // namespace
}  // namespace diopter
