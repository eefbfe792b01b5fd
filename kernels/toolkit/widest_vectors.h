// Loops compiled several times, of which the one for this processor runs.
//
// A build is for any x86-64 and may use vectors of 4 floats; with_widest_vectors compiles its argument for vectors of 8
// (AVX2) and 16 (AVX-512), too, and chooses when the program runs. All of them give the same bits: none may contract a
// product and a sum to an FMA (-ffp-contract=off, and AVX2 without FMA). A choice by `if`, not target_clones: that
// works for templates, with clang 14 and with sanitizers. DIOPTER_VECTORS=plain, avx2 or avx512 in the environment
// chooses narrower ones than the processor has.
#pragma once

namespace diopter {

/// Whether DIOPTER_VECTORS can be obeyed: throws Error where it names no vectors, or some that this processor lacks.
/// Without this call it is ignored then, as loops cannot fail.
void check_vectors_setting();

namespace detail {

#if defined(__x86_64__)
enum class Vectors { any, avx2, avx512 };

/// The widest of the processor, or what DIOPTER_VECTORS says.
Vectors vectors_to_use();

inline const Vectors kVectors = vectors_to_use();

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
