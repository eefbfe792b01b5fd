// 16-byte loads and stores: the widest that one thread can issue, 4 floats or 8 bf16. In registers all numbers are
// float.
#pragma once

#include "kernels/base/bf16.h"
#include "kernels/toolkit/launch.cuh"

#ifdef __CUDACC__
#include <cuda_bf16.h>
#endif

namespace diopter::cuda {

/// How many T fit into 16 bytes.
template <class T>
inline constexpr int kPack = 16 / static_cast<int>(sizeof(T));

/// kPack<T> consecutive elements, as float.
template <class T>
struct Pack {
  float value[kPack<T>];
  __host__ __device__ float& operator[](int i) { return value[i]; }
  __host__ __device__ float operator[](int i) const { return value[i]; }
};

/// Whether all these addresses are multiples of 16 and so may be given to load() and store().
template <class... T>
__host__ __device__ bool aligned(const T*... p) {
  return ((reinterpret_cast<std::uintptr_t>(p) | ...) & 15) == 0;
}

/// The rounding of diopter::bf16 in one instruction where the GPU has it.
__device__ inline bf16 to_bf16(float value) {
#ifdef __CUDACC__
  bf16 result;
  result.bits = __bfloat16_as_ushort(__float2bfloat16_rn(value));
  return result;
#else
  return bf16(value);
#endif
}

/// float to the storage type T.
template <class T>
__device__ inline T to(float value) {
  if constexpr (std::is_same_v<T, bf16>) {
    return to_bf16(value);
  } else {
    return value;
  }
}

/// kPack<T> elements from p, which is 16-byte aligned.
__device__ inline Pack<float> load(const float* p) {
#ifndef __CUDACC__
  host_executor::require_alignment(p, 16);
#endif
  const float4 v = *reinterpret_cast<const float4*>(p);
  return {{v.x, v.y, v.z, v.w}};
}

__device__ inline Pack<bf16> load(const bf16* p) {
#ifndef __CUDACC__
  host_executor::require_alignment(p, 16);
#endif
  const uint4 v = *reinterpret_cast<const uint4*>(p);
  // The lower half of each word is the first of two elements; a bf16 is the upper half of a float.
  return {{__uint_as_float(v.x << 16), __uint_as_float(v.x & 0xffff0000u), __uint_as_float(v.y << 16),
           __uint_as_float(v.y & 0xffff0000u), __uint_as_float(v.z << 16), __uint_as_float(v.z & 0xffff0000u),
           __uint_as_float(v.w << 16), __uint_as_float(v.w & 0xffff0000u)}};
}

/// Writes kPack<T> elements to p, which is 16-byte aligned.
__device__ inline void store(float* p, const Pack<float>& v) {
#ifndef __CUDACC__
  host_executor::require_alignment(p, 16);
#endif
  *reinterpret_cast<float4*>(p) = make_float4(v[0], v[1], v[2], v[3]);
}

__device__ inline void store(bf16* p, const Pack<bf16>& v) {
#ifndef __CUDACC__
  host_executor::require_alignment(p, 16);
#endif
  const auto two = [](float low, float high) {
    return static_cast<unsigned>(to_bf16(low).bits) | static_cast<unsigned>(to_bf16(high).bits) << 16;
  };
  *reinterpret_cast<uint4*>(p) = make_uint4(two(v[0], v[1]), two(v[2], v[3]), two(v[4], v[5]), two(v[6], v[7]));
}

}  // namespace diopter::cuda
