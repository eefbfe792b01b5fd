// Hash that tells whether two files or settings are the same: FNV-1a of 64 bits (Fowler, Noll and Vo).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <type_traits>

#include "kernels/base/text.h"

namespace diopter {

class Fnv1a {
 public:
  void add(std::string_view bytes) {
    for (const char byte : bytes) hash_ = (hash_ ^ static_cast<unsigned char>(byte)) * 0x100000001b3u;
  }
  /// The bytes of a number.
  template <class Number>
  void add_number(Number number) {
    static_assert(std::is_arithmetic_v<Number>);
    add({reinterpret_cast<const char*>(&number), sizeof number});
  }

  /// Sixteen hexadecimal digits.
  std::string text() const { return formatted("%016llx", static_cast<unsigned long long>(hash_)); }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325u;
};

}  // namespace diopter
