// Several neighbouring elements in one memory access, also at the ends of arrays and at addresses that do not allow it.
#pragma once

#include <algorithm>
#include <cstring>

#include "kernels/toolkit/vector.cuh"

namespace diopter::cuda {

/// N elements that move together; N sizeof(T) is a power of two.
template <class T, int N>
struct alignas(N * sizeof(T) < 16 ? N * sizeof(T) : 16) Packed {
  T element[N];
  __device__ T& operator[](int i) { return element[i]; }
  __device__ const T& operator[](int i) const { return element[i]; }
};

/// How many elements a thread moves at once when it works on arrays of all these types: 16 bytes of the widest. (More
/// would leave gaps between the threads of a warp in each access.)
template <class... T>
inline constexpr int kTogether = std::min({kPack<T>...});

/// Whether N elements may be read or written at once at each of these addresses, in accesses of at most 16 bytes.
template <int N, class... T>
__device__ inline bool is_packed(const T*... p) {
  return ((reinterpret_cast<std::uintptr_t>(p) % alignof(Packed<T, N>) == 0) && ...);
}

/// N elements at p, where is_packed<N>(p).
template <int N, class T>
__device__ inline Packed<T, N> read_whole(const T* p) {
#ifndef __CUDACC__
  host_executor::require_alignment(p, alignof(Packed<T, N>));
#endif
  return *reinterpret_cast<const Packed<T, N>*>(p);
}

/// Writes N elements to p, where is_packed<N>(p).
template <int N, class T>
__device__ inline void write_whole(T* p, const Packed<T, N>& values) {
#ifndef __CUDACC__
  host_executor::require_alignment(p, alignof(Packed<T, N>));
#endif
  if constexpr (sizeof values == sizeof(std::uint64_t)) {
    // As one number: nvcc stores a structure of four bf16 one by one.
    std::uint64_t bits;
    std::memcpy(&bits, &values, sizeof bits);
    *reinterpret_cast<std::uint64_t*>(p) = bits;
  } else {
    *reinterpret_cast<Packed<T, N>*>(p) = values;
  }
}

/// The first min(count, N) elements at p, zeros after them; a count below 0 is 0.
template <int N, class T>
__device__ inline Packed<T, N> read(const T* p, std::int64_t count) {
  if (count >= N && is_packed<N>(p)) return read_whole<N>(p);
  Packed<T, N> values;
#pragma unroll
  for (int i = 0; i < N; ++i) values[i] = i < count ? p[i] : T(0);
  return values;
}

/// Writes the first min(count, N) of the values to p.
template <int N, class T>
__device__ inline void write(T* p, std::int64_t count, const Packed<T, N>& values) {
  if (count >= N && is_packed<N>(p)) return write_whole(p, values);
#pragma unroll
  for (int i = 0; i < N; ++i) {
    if (i < count) p[i] = values[i];
  }
}

}  // namespace diopter::cuda
