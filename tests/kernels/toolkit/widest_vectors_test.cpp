#include "kernels/toolkit/widest_vectors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/base/bf16.h"
#include "kernels/detection/logistic.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"
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

/// DIOPTER_VECTORS while a test is about it.
struct VectorsSetting {
  const char* before = std::getenv("DIOPTER_VECTORS");
  std::string kept = before ? before : "";
  explicit VectorsSetting(const char* value) { setenv("DIOPTER_VECTORS", value, 1); }
  ~VectorsSetting() { before ? setenv("DIOPTER_VECTORS", kept.c_str(), 1) : unsetenv("DIOPTER_VECTORS"); }
};

TEST_CASE("with_widest_vectors: the environment chooses narrower vectors") {
  for (const char* good : {"", "plain"}) {
    const VectorsSetting setting(good);
    CHECK_NOTHROW(check_vectors_setting());
  }
  for (const char* wrong : {"AVX2", "sse", "avx5121", " "}) {
    const VectorsSetting setting(wrong);
    CHECK(test::contains(test::error_of(check_vectors_setting), std::string("DIOPTER_VECTORS is ") + wrong));
  }
#if defined(__x86_64__)
  const auto chosen = [](const char* name) {
    const VectorsSetting setting(name);
    return detail::vectors_to_use();
  };
  const detail::Vectors widest = chosen("");
  CHECK(chosen("plain") == detail::Vectors::any);
  CHECK(chosen("avx2") == std::min(widest, detail::Vectors::avx2));
  CHECK(chosen("avx512") == widest);
  CHECK(chosen("nonsense") == widest);
  const VectorsSetting setting("avx2");
  CHECK(test::error_of(check_vectors_setting).empty() == (widest >= detail::Vectors::avx2));
#endif
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
