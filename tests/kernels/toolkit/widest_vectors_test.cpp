#include "kernels/toolkit/widest_vectors.h"

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/base/bf16.h"
#include "kernels/detection/logistic.h"
#include "tests/support/catch.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

/// The bits of what run(body) computes: products and sums that an FMA would round otherwise, quotients, series,
/// selections, bf16.
template <class Run>
std::vector<std::uint32_t> bits_of(const std::vector<float>& inputs, const Run& run) {
  const std::size_t n = inputs.size();
  std::vector<std::uint32_t> bits(4 * n, 12345);
  run([x = inputs.data(), out = bits.data(), n] {
    for (std::size_t i = 0; i < n; ++i) {
      const Logistic<float> l = logistic(x[i]);
      out[i] = std::bit_cast<std::uint32_t>(l.softplus * l.sigmoid);
      out[n + i] = std::bit_cast<std::uint32_t>(l.sigmoid * l.sigmoid + l.softplus);
    }
    for (std::size_t i = 0; i < n; ++i) out[2 * n + i] = bf16(x[i] * 3.3f + 0.7f).bits;
    for (std::size_t i = 0; i < n; ++i) {
      out[3 * n + i] = std::bit_cast<std::uint32_t>(x[i] > 0 ? x[i] / 3 : x[i] * x[i] - 0.1f);
    }
  });
  return bits;
}

TEST_CASE("with_widest_vectors: every version gives the bits of a plain loop") {
  for (std::size_t n : {0, 1, 7, 8, 9, 15, 16, 17, 31, 1000}) {
    INFO(n << " numbers");
    std::vector<float> x = test::uniform(n, -12, 12, 4);
    if (n > 8) x[3] = 0, x[5] = -INFINITY, x[6] = INFINITY, x[7] = -1e-40f;
    const auto plain = bits_of(x, [](const auto& body) { body(); });
    CHECK(bits_of(x, [](const auto& body) { with_widest_vectors(body); }) == plain);
#if defined(__x86_64__)
    if (detail::kVectors >= detail::Vectors::avx2) {
      CHECK(bits_of(x, [](const auto& body) { detail::run_avx2(body); }) == plain);
    }
    if (detail::kVectors >= detail::Vectors::avx512) {
      CHECK(bits_of(x, [](const auto& body) { detail::run_avx512(body); }) == plain);
    }
#endif
  }
}

TEST_CASE("with_widest_vectors: NaN stays NaN") {
  const std::vector<float> x(40, NAN);
  const auto bits = bits_of(x, [](const auto& body) { with_widest_vectors(body); });
  for (std::size_t i = 0; i < x.size(); ++i) {
    REQUIRE(std::isnan(std::bit_cast<float>(bits[i])));
    REQUIRE(std::isnan(std::bit_cast<float>(bits[x.size() + i])));
  }
}

}  // namespace
}  // namespace diopter
