// Loops compiled for several instruction sets, of which the program takes the best one when it starts.
#pragma once

/// In front of a function: it and all that is inlined into it, which is everything it calls that the compiler can see,
/// exist for AVX-512, for AVX2 and for any processor. All compute the same bits, since nothing is contracted to FMA.
/// Such a call goes through a pointer: put a loop inside. Not a lambda, nor a function that hands one to parallel_for.
#if defined(__GNUC__) && !defined(__clang__) && defined(__x86_64__) && !defined(__SANITIZE_ADDRESS__) && \
    !defined(__SANITIZE_THREAD__)
#define DIOPTER_SIMD __attribute__((target_clones("avx512f", "avx2", "default"), flatten))
#else
#define DIOPTER_SIMD
#endif
