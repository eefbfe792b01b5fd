#include "kernels/toolkit/widest_vectors.h"

#include <array>
#include <cstdlib>
#include <optional>
#include <string_view>

#include "kernels/base/check.h"

namespace diopter {

#if defined(__x86_64__)

namespace detail {

namespace {

constexpr std::array<std::string_view, 3> kNames = {"plain", "avx2", "avx512"};  // of Vectors, in their order

Vectors widest() {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Vectors::avx512 : __builtin_cpu_supports("avx2") ? Vectors::avx2 : Vectors::any;
}

/// The vectors of a name, if the processor has them.
std::optional<Vectors> named(std::string_view name) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (name == kNames[i] && static_cast<Vectors>(i) <= widest()) return static_cast<Vectors>(i);
  }
  return std::nullopt;
}

std::string_view setting() {
  const char* value = std::getenv("DIOPTER_VECTORS");
  return value ? value : "";
}

}  // namespace

Vectors vectors_to_use() { return named(setting()).value_or(widest()); }

}  // namespace detail

void check_vectors_setting() {
  const std::string_view setting = detail::setting();
  DIOPTER_CHECK(setting.empty() || detail::named(setting), "DIOPTER_VECTORS is ", setting,
                ", which is not one of plain, avx2 and avx512, or not in this processor");
}

#else

void check_vectors_setting() {
  const char* setting = std::getenv("DIOPTER_VECTORS");
  DIOPTER_CHECK(!setting || !*setting || std::string_view(setting) == "plain", "DIOPTER_VECTORS is ", setting,
                ": loops have one version here, plain");
}

#endif

}  // namespace diopter
