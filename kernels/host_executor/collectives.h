// Barriers, votes, shuffles and reductions with CUDA's names. Included by language.h.
#pragma once

namespace diopter::host_executor {

/// The types that nvcc's shuffles take.
template <class T>
concept Shuffled = std::is_arithmetic_v<T> &&(sizeof(T) == 4 || sizeof(T) == 8);

template <Shuffled T>
std::uint64_t to_word(T value) {
  std::uint64_t word = 0;
  __builtin_memcpy(&word, &value, sizeof value);
  return word;
}

template <Shuffled T>
T from_word(std::uint64_t word) {
  T value;
  __builtin_memcpy(&value, &word, sizeof value);
  return value;
}

template <class T>
T collective(WarpOperation operation, unsigned mask, T value, int argument, int width, Site site) {
  return from_word<T>(warp_operation({operation, mask, to_word(value), argument, width, site}));
}

inline void __syncthreads(Site site = here()) { barrier(BarrierKind::plain, true, site); }
inline int __syncthreads_count(int predicate, Site site = here()) {
  return barrier(BarrierKind::count, predicate, site);
}
inline int __syncthreads_and(int predicate, Site site = here()) { return barrier(BarrierKind::all, predicate, site); }
inline int __syncthreads_or(int predicate, Site site = here()) { return barrier(BarrierKind::any, predicate, site); }

inline void __syncwarp(unsigned mask = ~0u, Site site = here()) {
  warp_operation({WarpOperation::sync, mask, 0, 0, 32, site});
}
inline unsigned __activemask() { return active_lanes(); }
inline unsigned __ballot_sync(unsigned mask, int predicate, Site site = here()) {
  return collective<unsigned>(WarpOperation::ballot, mask, predicate != 0, 0, 32, site);
}
inline int __any_sync(unsigned mask, int predicate, Site site = here()) {
  return __ballot_sync(mask, predicate, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate, Site site = here()) {
  return __ballot_sync(mask, !predicate, site) == 0;
}
template <Shuffled T>
unsigned __match_any_sync(unsigned mask, T value, Site site = here()) {
  return static_cast<unsigned>(warp_operation({WarpOperation::match, mask, to_word(value), 0, 32, site}));
}

template <Shuffled T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32, Site site = here()) {
  return collective(WarpOperation::shuffle, mask, value, lane, width, site);
}
template <Shuffled T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32, Site site = here()) {
  return collective(WarpOperation::shuffle_up, mask, value, static_cast<int>(distance), width, site);
}
template <Shuffled T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32, Site site = here()) {
  return collective(WarpOperation::shuffle_down, mask, value, static_cast<int>(distance), width, site);
}
template <Shuffled T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32, Site site = here()) {
  return collective(WarpOperation::shuffle_xor, mask, value, lane_mask, width, site);
}

inline unsigned __reduce_add_sync(unsigned mask, unsigned value, Site site = here()) {
  return collective(WarpOperation::add, mask, value, 0, 32, site);
}
inline int __reduce_add_sync(unsigned mask, int value, Site site = here()) {
  return collective(WarpOperation::add, mask, value, 0, 32, site);
}
inline unsigned __reduce_min_sync(unsigned mask, unsigned value, Site site = here()) {
  return collective(WarpOperation::minimum, mask, value, 0, 32, site);
}
inline int __reduce_min_sync(unsigned mask, int value, Site site = here()) {
  return collective(WarpOperation::signed_minimum, mask, value, 0, 32, site);
}
inline unsigned __reduce_max_sync(unsigned mask, unsigned value, Site site = here()) {
  return collective(WarpOperation::maximum, mask, value, 0, 32, site);
}
inline int __reduce_max_sync(unsigned mask, int value, Site site = here()) {
  return collective(WarpOperation::signed_maximum, mask, value, 0, 32, site);
}
inline unsigned __reduce_and_sync(unsigned mask, unsigned value, Site site = here()) {
  return collective(WarpOperation::bit_and, mask, value, 0, 32, site);
}
inline unsigned __reduce_or_sync(unsigned mask, unsigned value, Site site = here()) {
  return collective(WarpOperation::bit_or, mask, value, 0, 32, site);
}
inline unsigned __reduce_xor_sync(unsigned mask, unsigned value, Site site = here()) {
  return collective(WarpOperation::bit_xor, mask, value, 0, 32, site);
}

inline void __threadfence() { fence(); }
inline void __threadfence_block() { fence(); }
inline void __threadfence_system() { fence(); }
[[noreturn]] inline void __trap(Site site = here()) { trap(site); }

}  // namespace diopter::host_executor

using diopter::host_executor::__activemask;
using diopter::host_executor::__all_sync;
using diopter::host_executor::__any_sync;
using diopter::host_executor::__ballot_sync;
using diopter::host_executor::__match_any_sync;
using diopter::host_executor::__reduce_add_sync;
using diopter::host_executor::__reduce_and_sync;
using diopter::host_executor::__reduce_max_sync;
using diopter::host_executor::__reduce_min_sync;
using diopter::host_executor::__reduce_or_sync;
using diopter::host_executor::__reduce_xor_sync;
using diopter::host_executor::__shfl_down_sync;
using diopter::host_executor::__shfl_sync;
using diopter::host_executor::__shfl_up_sync;
using diopter::host_executor::__shfl_xor_sync;
using diopter::host_executor::__syncthreads;
using diopter::host_executor::__syncthreads_and;
using diopter::host_executor::__syncthreads_count;
using diopter::host_executor::__syncthreads_or;
using diopter::host_executor::__syncwarp;
using diopter::host_executor::__threadfence;
using diopter::host_executor::__threadfence_block;
using diopter::host_executor::__threadfence_system;
using diopter::host_executor::__trap;
