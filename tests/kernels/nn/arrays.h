// Arrays of either storage type, as the tests of kernels/nn need them.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>
#include <vector>

#include "kernels/base/bf16.h"
#include "kernels/base/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/device_buffer.h"
#include "tests/support/random.h"

namespace diopter::test {

inline constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

/// The tolerance of results that are stored as T.
template <class T>
double tolerance(double of_float) {
  return std::is_same_v<T, bf16> ? Tolerance::bf16 : of_float;
}

template <class T>
std::vector<T> to(const std::vector<float>& values) {
  std::vector<T> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = T(values[i]);
  return result;
}

template <class T>
std::vector<float> to_float(const std::vector<T>& values) {
  std::vector<float> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) result[i] = float(values[i]);
  return result;
}

inline std::vector<double> doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

/// n seeded uniform values in [-1, 1).
template <class T = float>
std::vector<T> random_array(std::size_t n, std::uint64_t seed) {
  return to<T>(uniform(n, -1.0f, 1.0f, seed));
}

/// Content of an output before the kernel runs: a kernel that does not overwrite it leaves NaN.
template <class T = float>
std::vector<T> garbage(std::size_t n) {
  return std::vector<T>(n, T(kNan));
}

template <class T>
bool same_bits(const std::vector<T>& a, const std::vector<T>& b) {
  return a.size() == b.size() && (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(T)) == 0);
}

/// Requires f() -> vector to have the same bits each time: on the CPU with 1, 2 and 5 threads.
template <class F>
void require_same_bits_each_time(Device device, F f) {
  const int before = thread_count();
  set_thread_count(1);
  const auto expected = f();
  for (int threads : {2, 5}) {
    set_thread_count(device == Device::cpu ? threads : before);
    const auto actual = f();
    INFO(threads << " threads");
    CHECK(same_bits(actual, expected));
  }
  set_thread_count(before);
}

/// d loss / d values[i] for every i by central differences, loss a function of a vector of double.
template <class F>
std::vector<double> central_differences(std::vector<double> values, F loss) {
  constexpr double kStep = 1e-5;
  std::vector<double> gradient(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double value = values[i];
    values[i] = value + kStep;
    const double above = loss(values);
    values[i] = value - kStep;
    gradient[i] = (above - loss(values)) / (2 * kStep);
    values[i] = value;
  }
  return gradient;
}

}  // namespace diopter::test
