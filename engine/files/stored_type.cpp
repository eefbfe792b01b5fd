#include "engine/files/stored_type.h"

#include <bit>
#include <cmath>
#include <cstring>

namespace diopter {

namespace {

static_assert(std::endian::native == std::endian::little, "files of tensors are little-endian");

float half_to_float(std::uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  float value = 0;
  if (exponent == 31) {
    value = mantissa ? NAN : INFINITY;
  } else {
    value = std::ldexp(static_cast<float>(exponent ? mantissa + 1024 : mantissa), (exponent ? exponent : 1) - 25);
  }
  return h & 0x8000 ? -value : value;
}

template <class From, class To, class Convert>
Tensor converted(const Shape& shape, const char* bytes, Convert convert) {
  std::vector<To> values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    From stored;
    std::memcpy(&stored, bytes + i * sizeof(From), sizeof stored);
    values[i] = convert(stored);
  }
  return Tensor::from(shape, values);
}

}  // namespace

std::size_t stored_size(const std::string& type) {
  if (type == "F64" || type == "I64") return 8;
  if (type == "F32" || type == "I32") return 4;
  if (type == "F16" || type == "BF16") return 2;
  return type == "U8" ? 1 : 0;
}

Tensor from_stored(const std::string& type, const Shape& shape, const char* bytes) {
  if (type == "F64") return converted<double, float>(shape, bytes, [](double v) { return static_cast<float>(v); });
  if (type == "F16") return converted<std::uint16_t, float>(shape, bytes, half_to_float);
  if (type == "I64") {
    return converted<std::int64_t, std::int32_t>(shape, bytes,
                                                 [](std::int64_t v) { return static_cast<std::int32_t>(v); });
  }
  const DType dtype = type == "F32"    ? DType::f32
                      : type == "BF16" ? DType::bf16
                      : type == "I32"  ? DType::i32
                                       : DType::u8;
  Tensor tensor = Tensor::empty(shape, dtype);
  tensor.copy_from_host(bytes);
  return tensor;
}

}  // namespace diopter
