// Atomic operations with CUDA's names, for exactly the types that nvcc takes. Relaxed, as on the GPU.
// Included by language.h.
#pragma once

namespace diopter::host_executor {

template <class T, class... Types>
concept OneOf = (std::is_same_v<T, Types> || ...);

template <class T>
concept AtomicWord = OneOf<T, int, unsigned, unsigned long long>;

/// Replaces *p by next(*p) in one step and yields what was there.
template <class T, class Next>
T atomic_update(T* p, Next next) {
  using Plain = std::conditional_t<sizeof(T) == 8, std::uint64_t, std::uint32_t>;
  typedef Plain __attribute__((may_alias)) Word;
  Word* address = reinterpret_cast<Word*>(p);
  Plain before = __atomic_load_n(address, __ATOMIC_RELAXED);
  for (;;) {
    const T value = std::bit_cast<T>(before);
    Plain after = std::bit_cast<Plain>(static_cast<T>(next(value)));
    if (__atomic_compare_exchange_n(address, &before, after, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) return value;
  }
}

template <class T>
requires OneOf<T, int, unsigned, unsigned long long, float, double> T atomicAdd(T* p, std::type_identity_t<T> v) {
  // Unsigned arithmetic, so that integers wrap around as they do on the GPU.
  return atomic_update(p, [v](T old) {
    if constexpr (std::is_same_v<T, int>) {
      return static_cast<int>(static_cast<unsigned>(old) + static_cast<unsigned>(v));
    } else {
      return old + v;
    }
  });
}
template <class T>
requires OneOf<T, int, unsigned> T atomicSub(T* p, std::type_identity_t<T> v) {
  return atomic_update(p, [v](T old) { return static_cast<T>(static_cast<unsigned>(old) - static_cast<unsigned>(v)); });
}
template <class T>
requires OneOf<T, int, unsigned, long long, unsigned long long> T atomicMin(T* p, std::type_identity_t<T> v) {
  return atomic_update(p, [v](T old) { return v < old ? v : old; });
}
template <class T>
requires OneOf<T, int, unsigned, long long, unsigned long long> T atomicMax(T* p, std::type_identity_t<T> v) {
  return atomic_update(p, [v](T old) { return old < v ? v : old; });
}
template <AtomicWord T>
T atomicAnd(T* p, std::type_identity_t<T> v) {
  return atomic_update(p, [v](T old) { return old & v; });
}
template <AtomicWord T>
T atomicOr(T* p, std::type_identity_t<T> v) {
  return atomic_update(p, [v](T old) { return old | v; });
}
template <AtomicWord T>
T atomicXor(T* p, std::type_identity_t<T> v) {
  return atomic_update(p, [v](T old) { return old ^ v; });
}
template <class T>
requires OneOf<T, int, unsigned, unsigned long long, float> T atomicExch(T* p, std::type_identity_t<T> v) {
  return atomic_update(p, [v](T) { return v; });
}
template <AtomicWord T>
T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> v) {
  return atomic_update(p, [=](T old) { return old == expected ? v : old; });
}
inline unsigned atomicInc(unsigned* p, unsigned limit) {
  return atomic_update(p, [limit](unsigned old) { return old >= limit ? 0 : old + 1; });
}
inline unsigned atomicDec(unsigned* p, unsigned limit) {
  return atomic_update(p, [limit](unsigned old) { return old == 0 || old > limit ? limit : old - 1; });
}

}  // namespace diopter::host_executor

using diopter::host_executor::atomicAdd;
using diopter::host_executor::atomicAnd;
using diopter::host_executor::atomicCAS;
using diopter::host_executor::atomicDec;
using diopter::host_executor::atomicExch;
using diopter::host_executor::atomicInc;
using diopter::host_executor::atomicMax;
using diopter::host_executor::atomicMin;
using diopter::host_executor::atomicOr;
using diopter::host_executor::atomicSub;
using diopter::host_executor::atomicXor;
