// Functions that C++ made from PTX calls: memory, and the instructions for which C++ has no operator. Meanings are
// those of NVIDIA's "PTX ISA"; barriers and operations of a warp are the executor's own.
#pragma once

#include <algorithm>
#include <bit>
#include <cfenv>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/host_executor/language.h"
#include "kernels/host_executor/ptx/runtime/approximation.h"
#include "kernels/host_executor/ptx/runtime/memory.h"

namespace diopter::host_executor::ptx {

// PTX's names of types.
using pred = bool;
using b8 = std::uint8_t;
using s8 = std::int8_t;
using u16 = std::uint16_t;
using b16 = std::uint16_t;
using s16 = std::int16_t;
using u32 = std::uint32_t;
using b32 = std::uint32_t;
using s32 = std::int32_t;
using b64 = std::uint64_t;
using s64 = std::int64_t;
__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 s128;
using f32 = float;
using f64 = double;

template <class T>
inline constexpr u32 kBits = 8 * sizeof(T);

/// The same bits; integers also become wider (by their sign) or narrower.
template <class To, class From>
To as(From value) {
  if constexpr (sizeof(To) == sizeof(From)) {
    return std::bit_cast<To>(value);
  } else {
    static_assert(std::is_integral_v<From> && std::is_integral_v<To>);
    return static_cast<To>(value);
  }
}

template <class T>
T loaded(const u8* at) {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <class T>
void store(u8* at, T value) {
  std::memcpy(at, &value, sizeof value);
}

// ---- Floating point -----------------------------------------------------------------------------------------------

/// .ftz
template <class T>
T flushed(T x) {
  return std::fabs(x) < std::numeric_limits<T>::min() ? std::copysign(T(0), x) : x;
}
/// .sat; NaN becomes 0.
template <class T>
T saturated(T x) {
  return x > T(0) ? std::min(x, T(1)) : T(0);
}
/// The other one where one is NaN; -0 is less than 0.
template <class T>
T minimum(T a, T b) {
  if (a == b) return std::signbit(a) ? a : b;
  return a < b || b != b ? a : b;
}
template <class T>
T maximum(T a, T b) {
  if (a == b) return std::signbit(a) ? b : a;
  return a > b || b != b ? a : b;
}

/// The function's value when each of its operations rounds in the given direction.
template <class Function, class... T>
[[gnu::noinline]] auto rounded(int direction, Function function, T... values) {
  const int before = std::fegetround();
  std::fesetround(direction);
  // Through memory, so that nothing is computed before or after its time.
  const volatile auto result = [&](auto... copies) {
    return function(copies...);
  }(static_cast<const volatile T&>(values)...);
  std::fesetround(before);
  return static_cast<std::remove_cv_t<decltype(result)>>(result);
}

/// Saturates; NaN becomes 0. x is a whole number.
template <class To, class From>
To to_integer(From x) {
  constexpr From end = From(std::numeric_limits<To>::max() / 2 + 1) * 2;  // a power of two, and exact
  if (x != x) return 0;
  if (x >= end) return std::numeric_limits<To>::max();
  if (x < From(std::numeric_limits<To>::min())) return std::numeric_limits<To>::min();
  return static_cast<To>(x);
}

/// The bits of a bf16. NaN becomes 0x7fff, as on the GPU.
inline u16 truncated_bf16(float x) { return x != x ? 0x7fff : static_cast<u16>(as<u32>(x) >> 16); }
/// Ties go to even.
inline u16 nearest_bf16(float x) {
  const u32 bits = as<u32>(x);
  return x != x ? 0x7fff : static_cast<u16>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// ---- Integers -----------------------------------------------------------------------------------------------------

/// Shifts by the width or more leave nothing, or only signs.
template <class T>
T shifted_left(T x, u32 by) {
  return by < kBits<T> ? static_cast<T>(x << by) : T(0);
}
template <class T>
T shifted_right(T x, u32 by) {
  if (by < kBits<T>) return static_cast<T>(x >> by);
  return x < T(0) ? T(-1) : T(0);
}
inline u32 funnel_left(u32 low, u32 high, u32 by) { return static_cast<u32>((u64{high} << 32 | low) << by >> 32); }
inline u32 funnel_right(u32 low, u32 high, u32 by) { return static_cast<u32>((u64{high} << 32 | low) >> by); }

/// The upper half.
template <class T>
T high_product(T a, T b) {
  using Wide = std::conditional_t<std::is_signed_v<T>, s128, u128>;
  return static_cast<T>(Wide(a) * b >> kBits<T>);
}
/// PTX leaves open what a division by zero yields; here all bits are set.
template <class T>
T quotient(T a, T b) {
  if (b == 0) return static_cast<T>(-1);
  if (std::is_signed_v<T> && b == static_cast<T>(-1)) return static_cast<T>(0 - std::make_unsigned_t<T>(a));
  return a / b;
}
template <class T>
T remainder(T a, T b) {
  if (b == 0) return a;
  return std::is_signed_v<T> && b == static_cast<T>(-1) ? T(0) : a % b;
}

template <class T>
T reversed(T x) {
  T result = 0;
  for (u32 i = 0; i < kBits<T>; ++i) result |= (x >> i & 1) << (kBits<T> - 1 - i);
  return result;
}

/// How far the highest bit that is no sign must be shifted to be the first; all ones where there is none.
template <class T>
u32 shift_of_highest_bit(T x) {
  const auto bits = static_cast<std::make_unsigned_t<T>>(x < T(0) ? ~x : x);
  return bits == 0 ? ~0u : static_cast<u32>(std::countl_zero(bits));
}
/// Its number, counted from the lowest.
template <class T>
u32 highest_bit(T x) {
  const u32 shift = shift_of_highest_bit(x);
  return shift == ~0u ? ~0u : kBits<T> - 1 - shift;
}

/// The lowest n bits set.
template <class T>
T low_bits(u32 n) {
  return static_cast<T>(~shifted_left(static_cast<T>(~T(0)), n));
}
/// bfi
template <class T>
T bits_inserted(T what, T into, u32 position, u32 length) {
  const T mask = shifted_left(low_bits<T>(length & 0xff), position & 0xff);
  return (into & ~mask) | (shifted_left(what, position & 0xff) & mask);
}
/// bfe: bits beyond the end, and those above a signed field, repeat its highest bit.
template <class T>
T bits_extracted(T from, u32 position, u32 length) {
  using Unsigned = std::make_unsigned_t<T>;
  position = std::min(position & 0xff, kBits<T>);
  length &= 0xff;
  const u32 present = std::min(length, kBits<T> - position);
  const auto bits =
      static_cast<Unsigned>(shifted_right(static_cast<Unsigned>(from), position) & low_bits<Unsigned>(present));
  const u32 sign_at = std::min(position + length - 1, kBits<T> - 1);
  const bool negative = std::is_signed_v<T> && length > 0 && (static_cast<Unsigned>(from) >> sign_at & 1);
  return static_cast<T>(negative ? bits | static_cast<Unsigned>(~low_bits<Unsigned>(present)) : bits);
}

/// prmt: each nibble of the selector chooses a byte of a (0 to 3) or b (4 to 7), or with 8 added, its sign.
inline u32 permuted(u32 a, u32 b, u32 selector) {
  const u64 bytes = u64{b} << 32 | a;
  u32 result = 0;
  for (u32 i = 0; i < 4; ++i) {
    const u32 nibble = selector >> 4 * i & 0xf;
    u32 byte = static_cast<u32>(bytes >> 8 * (nibble & 7)) & 0xff;
    if (nibble & 8) byte = byte & 0x80 ? 0xff : 0;
    result |= byte << 8 * i;
  }
  return result;
}
/// lop3: the table says what becomes of each combination of bits.
inline u32 combined(u32 a, u32 b, u32 c, u32 table) {
  u32 result = 0;
  for (u32 i = 0; i < 8; ++i) {
    if (table >> i & 1) result |= (i & 4 ? a : ~a) & (i & 2 ? b : ~b) & (i & 1 ? c : ~c);
  }
  return result;
}

// ---- Other threads ------------------------------------------------------------------------------------------------

inline int block_barrier(BarrierKind kind, bool predicate = true, Site site = here()) {
  return barrier(kind, predicate, site);
}
inline void warp_barrier(u32 mask, Site site = here()) { warp_operation({WarpOperation::sync, mask, 0, 0, 32, site}); }
inline u32 ballot(u32 mask, bool vote, Site site = here()) {
  return static_cast<u32>(warp_operation({WarpOperation::ballot, mask, vote, 0, 32, site}));
}
template <class T>
u32 warp_collective(WarpOperation operation, T value, u32 mask, Site site = here()) {
  return static_cast<u32>(warp_operation({operation, mask, static_cast<std::make_unsigned_t<T>>(value), 0, 32, site}));
}

struct Shuffled {
  u32 value;
  bool in_range;
};
/// `limits` holds the last lane of a segment (bits 0 to 4) and which bits of a lane's number name its segment (8 to
/// 12).
inline Shuffled warp_shuffle(WarpOperation mode, u32 value, u32 argument, u32 limits, u32 mask, Site site = here()) {
  const u32 lane = ((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x) % 32;
  const u32 segment = limits >> 8 & 31, begin = lane & segment, last = begin | (limits & 31 & ~segment);
  argument &= 31;
  bool in_range = true;
  switch (mode) {
    case WarpOperation::shuffle_up: in_range = lane >= last + argument; break;
    case WarpOperation::shuffle_down: in_range = lane + argument <= last; break;
    case WarpOperation::shuffle_xor: in_range = (lane ^ argument) <= last; break;
    default: in_range = (begin | (argument & ~segment)) <= last;
  }
  const int width = static_cast<int>(32 - segment);
  const std::uint64_t received = warp_operation({mode, mask, value, static_cast<int>(argument), width, site});
  return {in_range ? static_cast<u32>(received) : value, in_range};
}

}  // namespace diopter::host_executor::ptx
