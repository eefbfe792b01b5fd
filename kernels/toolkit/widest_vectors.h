// Loops compiled several times, of which the one for this processor runs.
//
// A build is for any x86-64 and may use vectors of 4 floats; with_widest_vectors compiles its argument for vectors of 8
// (AVX2) and 16 (AVX-512), too, and chooses when the program runs. All of them give the same bits: none may contract a
// product and a sum to an FMA (-ffp-contract=off, and AVX2 without FMA). A choice by `if`, not target_clones: that
// works for templates, with clang 14 and with sanitizers.
#pragma once

namespace diopter {

namespace detail {

#if defined(__x86_64__)
enum class Vectors { any, avx2, avx512 };

inline const Vectors kVectors = [] {
  __builtin_cpu_init();
  const bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
  return avx512 ? Vectors::avx512 : __builtin_cpu_supports("avx2") ? Vectors::avx2 : Vectors::any;
}();

template <class Body>
[[gnu::target("avx2"), gnu::flatten]] void run_avx2(const Body& body) {
  body();
}
template <class Body>
[[gnu::target("avx2,avx512f,avx512bw,avx512dq,avx512vl"), gnu::flatten]] void run_avx512(const Body& body) {
  body();
}
#endif

}  // namespace detail

/// Name of the vectors that with_widest_vectors's loops use on this processor, for people to read.
inline const char* vectors_in_use() {
#if defined(__x86_64__)
  if (detail::kVectors == detail::Vectors::avx512) return "AVX-512";
  if (detail::kVectors == detail::Vectors::avx2) return "AVX2";
#endif
  return "those it is compiled for";
}

/// Calls body(). Worth it for loops over arrays only: everything that the body calls is compiled into it.
template <class Body>
void with_widest_vectors(const Body& body) {
#if defined(__x86_64__)
  if (detail::kVectors == detail::Vectors::avx512) return detail::run_avx512(body);
  if (detail::kVectors == detail::Vectors::avx2) return detail::run_avx2(body);
#endif
  body();
}

}  // namespace diopter
