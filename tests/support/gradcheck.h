// Directional gradient check of an operation on float tensors.
//
//   L(x) = sum of r y(x), added in double, with a random projection r;  d: a random direction of one input, entries +-1
//   <dL/dx, d>  against  (L(x + eps d) - L(x - eps d)) / (2 eps)
//
// They may differ by the tolerance times |dL/dx|, the standard deviation of <dL/dx, d> over random d.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "engine/tape.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"

namespace diopter::test {

using Operation = std::function<Variable(const std::vector<Variable>& inputs)>;

struct GradientCheck {
  double eps = 5e-3;
  /// For outputs of a relu: those that are zero at one end of the difference only have their kink between the ends and
  /// are left out. Other operations with kinks need inputs that are away from them.
  bool relu_output = false;
};

/// The inputs as variables; `wanted` says which of them require a gradient.
template <class Wanted>
std::vector<Variable> variables(const std::vector<Tensor>& inputs, Wanted wanted) {
  std::vector<Variable> result;
  for (std::size_t i = 0; i < inputs.size(); ++i) result.emplace_back(inputs[i], wanted(i));
  return result;
}

/// y for inputs whose i-th one is moved by step * direction.
inline std::vector<float> moved_output(const Operation& operation, std::vector<Tensor> inputs, std::size_t i,
                                       const std::vector<float>& direction, double step) {
  std::vector<float> x = inputs[i].to_vector<float>();
  for (std::size_t j = 0; j < x.size(); ++j) x[j] += static_cast<float>(step) * direction[j];
  inputs[i] = Tensor::from(inputs[i].shape(), x, inputs[i].device());
  return operation(variables(inputs, [](std::size_t) { return false; })).value().to_vector<float>();
}

inline double dot(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

/// Checks the gradient of input i along one direction, the inputs for which wanted(j) holds requiring a gradient.
template <class Wanted>
void check_direction(const Operation& operation, const std::vector<Tensor>& inputs, std::size_t i, Wanted wanted,
                     std::uint64_t seed, const GradientCheck& check) {
  std::vector<float> direction = uniform(static_cast<std::size_t>(inputs[i].size()), -1, 1, seed);
  for (float& d : direction) d = d < 0 ? -1.0f : 1.0f;
  const std::vector<float> above = moved_output(operation, inputs, i, direction, check.eps);
  const std::vector<float> below = moved_output(operation, inputs, i, direction, -check.eps);
  std::vector<float> projection = uniform(above.size(), -1, 1, seed + 1);
  if (check.relu_output) {
    for (std::size_t j = 0; j < above.size(); ++j) {
      if ((above[j] == 0) != (below[j] == 0)) projection[j] = 0;
    }
  }
  const double numeric = (dot(projection, above) - dot(projection, below)) / (2 * check.eps);

  Tape tape;
  const std::vector<Variable> x = variables(inputs, wanted);
  const Variable y = operation(x);
  const Tensor dy = Tensor::from(y.shape(), projection, y.value().device());
  tape.backward(y, dy);
  CHECK(dy.to_vector<float>() == projection);  // others may hold it
  const Tensor& gradient = x[i].gradient()->tensor();
  REQUIRE(gradient.defined());
  REQUIRE(gradient.shape() == x[i].shape());
  const std::vector<float> g = gradient.to_vector<float>();
  const double analytic = dot(g, direction), scale = std::max(std::sqrt(dot(g, g)), std::fabs(numeric));
  INFO("input " << i << ": analytic " << analytic << ", numeric " << numeric << ", scale " << scale);
  CHECK(scale > 0);
  CHECK(std::fabs(analytic - numeric) <= Tolerance::gradient * scale);
}

/// Checks the gradients of all inputs: with all of them required, and with each one alone.
inline void check_gradients(const Operation& operation, const std::vector<Tensor>& inputs,
                            const GradientCheck& check = {}) {
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::uint64_t seed = 1000 + 10 * i;
    check_direction(
        operation, inputs, i, [](std::size_t) { return true; }, seed, check);
    check_direction(
        operation, inputs, i, [i](std::size_t j) { return i == j; }, seed + 5, check);
  }
}

}  // namespace diopter::test
