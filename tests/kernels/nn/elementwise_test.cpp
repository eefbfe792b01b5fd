#include "kernels/nn/elementwise.h"

#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

constexpr int kSizes[] = {0, 1, 31, 32, 33, 255, 256, 257, 70001};

/// Requires run(y) to write expected(i) to every y[i], out of place.
template <class T, class Run, class Expected>
void require_elements(int n, double tolerance, Run run, Expected expected) {
  auto y = garbage<T>(n);
  run(y.data());
  std::vector<double> values(n);
  for (int i = 0; i < n; ++i) values[i] = expected(i);
  require_close(to_float(y), values, tolerance);
}

TEMPLATE_TEST_CASE("elementwise: every operation at many sizes", "", float, bf16) {
  const double close = tolerance<TestType>(Tolerance::elementwise);
  for (int n : kSizes) {
    INFO(n << " elements");
    const auto a = random_array<TestType>(n, 1), b = random_array<TestType>(n, 2);
    const auto x = [&](int i) { return static_cast<double>(float(a[i])); };
    const auto g = [&](int i) { return static_cast<double>(float(b[i])); };
    require_elements<TestType>(
        n, Tolerance::copy, [&](TestType* y) { cpu::relu_forward(n, a.data(), y); },
        [&](int i) { return std::max(x(i), 0.0); });
    require_elements<TestType>(
        n, Tolerance::copy, [&](TestType* y) { cpu::relu_backward(n, a.data(), b.data(), y); },
        [&](int i) { return x(i) > 0 ? g(i) : 0.0; });
    require_elements<TestType>(
        n, close, [&](TestType* y) { cpu::sigmoid_forward(n, a.data(), y); },
        [&](int i) { return 1 / (1 + std::exp(-x(i))); });
    require_elements<TestType>(
        n, close, [&](TestType* y) { cpu::sigmoid_backward(n, a.data(), b.data(), y); },
        [&](int i) { return g(i) * x(i) * (1 - x(i)); });
    require_elements<TestType>(
        n, close, [&](TestType* y) { cpu::add(n, a.data(), b.data(), y); }, [&](int i) { return x(i) + g(i); });
    const float factor = -2.5f;
    require_elements<TestType>(
        n, close, [&](TestType* y) { cpu::scale(n, &factor, a.data(), y); }, [&](int i) { return -2.5 * x(i); });
    require_elements<TestType>(
        n, Tolerance::copy, [&](TestType* y) { cpu::fill(n, 0.75f, y); }, [](int) { return 0.75; });
    require_elements<float>(
        n, Tolerance::copy, [&](float* y) { cpu::cast(n, a.data(), y); }, x);
    require_elements<bf16>(
        n, Tolerance::copy, [&](bf16* y) { cpu::cast(n, a.data(), y); },
        [&](int i) { return float(bf16(float(a[i]))); });
  }
}

TEMPLATE_TEST_CASE("elementwise: in place gives the same bits", "", float, bf16) {
  const int n = 70001;
  const auto a = random_array<TestType>(n, 1), b = random_array<TestType>(n, 2);
  auto apart = garbage<TestType>(n), in_place = a;
  cpu::relu_forward(n, a.data(), apart.data());
  cpu::relu_forward(n, in_place.data(), in_place.data());
  CHECK(same_bits(in_place, apart));
  cpu::add(n, a.data(), b.data(), apart.data());
  for (bool second : {false, true}) {
    in_place = second ? b : a;
    cpu::add(n, second ? a.data() : in_place.data(), second ? in_place.data() : b.data(), in_place.data());
    CHECK(same_bits(in_place, apart));
  }
  in_place = b;
  cpu::relu_backward(n, a.data(), b.data(), apart.data());
  cpu::relu_backward(n, a.data(), in_place.data(), in_place.data());
  CHECK(same_bits(in_place, apart));
}

TEST_CASE("elementwise: lerp moves towards x") {
  for (int n : kSizes) {
    const auto x = random_array(n, 1), start = random_array(n, 2);
    auto y = start;
    cpu::lerp(n, 0.25f, x.data(), y.data());
    std::vector<double> expected(n);
    for (int i = 0; i < n; ++i) expected[i] = start[i] + 0.25 * (static_cast<double>(x[i]) - start[i]);
    require_close(y, expected, Tolerance::elementwise);
  }
}

TEST_CASE("elementwise: NaN and extreme values") {
  const float infinity = std::numeric_limits<float>::infinity();
  const std::vector<float> x{kNan, -infinity, infinity, -1e4f, 1e4f, -0.0f};
  std::vector<float> y(x.size());
  cpu::relu_forward(6, x.data(), y.data());
  CHECK(std::isnan(y[0]));
  CHECK(std::vector<float>(y.begin() + 1, y.end()) == std::vector<float>{0, infinity, 0, 1e4f, 0});
  cpu::sigmoid_forward(6, x.data(), y.data());
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
