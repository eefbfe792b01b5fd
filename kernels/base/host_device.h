// Host/device macros: one source for both devices.
#pragma once

#if defined(__CUDACC__)
#define DIOPTER_HD __host__ __device__
#else
#define DIOPTER_HD
#endif

/// Declares its contents twice, as diopter::cpu::... (defined in x.cpp) and diopter::cuda::... (defined in x.cu).
/// Types are declared above it, never inside.
#define DIOPTER_KERNEL(...) \
  namespace diopter::cpu {  \
  __VA_ARGS__;              \
  }                         \
  namespace diopter::cuda { \
  __VA_ARGS__;              \
  }
