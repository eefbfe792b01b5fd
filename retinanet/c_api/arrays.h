// The arrays of a call, checked: type, sizes, device and that they lie without gaps.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>

#include "engine/dtype.h"
#include "kernels/device/memory.h"
#include "retinanet/c_api/diopter.h"

namespace diopter::c_api {

/// A size that may be any.
inline constexpr std::int64_t kAny = -1;
using Sizes = std::initializer_list<std::int64_t>;

/// Type of a diopter_tensor's elements; its name in messages is that of NumPy.
struct ElementType {
  std::uint8_t code, bits;
  const char* name;
};

template <class T>
inline constexpr ElementType kElementType = {};
template <>
inline constexpr ElementType kElementType<float> = {2, 32, "float32"};
template <>
inline constexpr ElementType kElementType<double> = {2, 64, "float64"};
template <>
inline constexpr ElementType kElementType<bf16> = {4, 16, "bfloat16"};
template <>
inline constexpr ElementType kElementType<std::int32_t> = {0, 32, "int32"};
template <>
inline constexpr ElementType kElementType<std::int64_t> = {0, 64, "int64"};
template <>
inline constexpr ElementType kElementType<std::uint8_t> = {1, 8, "uint8"};
template <>
inline constexpr ElementType kElementType<bool> = {6, 8, "bool"};

/// Takes a call's arrays one by one. The first says which device the others must lie on. Throws BadArgument for one
/// that is not what is asked for, naming it.
class Arrays {
 public:
  /// Arrays of the host only.
  static Arrays of_host() {
    Arrays arrays;
    arrays.only_host_ = true;
    return arrays;
  }

  /// The first element of an array with elements of type T and these sizes.
  template <class T>
  T* get(const char* name, const diopter_tensor* tensor, Sizes sizes) {
    return static_cast<T*>(get(name, tensor, {kElementType<T>}, sizes));
  }
  /// The same; null where there is no array.
  template <class T>
  T* get_optional(const char* name, const diopter_tensor* tensor, Sizes sizes) {
    return tensor ? get<T>(name, tensor, sizes) : nullptr;
  }
  /// The same of any of these types.
  void* get(const char* name, const diopter_tensor* tensor, std::initializer_list<ElementType> types, Sizes sizes);

  Device device() const { return device_; }
  bool on_cpu() const { return device_ == Device::cpu; }

  /// While the result lives, work goes to the caller's stream.
  std::shared_ptr<const void> on_stream(void* stream) const;

 private:
  void check_device(const char* name, const diopter_tensor& tensor);

  Device device_ = Device::cpu;
  const char* first_ = nullptr;  // the array that decided the device
  bool only_host_ = false;
};

inline bool has_type(const diopter_tensor& tensor, const ElementType& type) {
  return tensor.type_code == type.code && tensor.type_bits == type.bits && tensor.type_lanes == 1;
}

/// Number of elements of a checked array.
std::int64_t element_count(const diopter_tensor& tensor);

/// A size of an array as an int. Throws BadArgument where it is more than that holds; `what` says of what it is the
/// number.
int as_int(std::int64_t size, const char* what);

/// Calls f with a value of the floating-point type of a checked array: float or bf16.
template <class F>
auto with_element_type(const diopter_tensor& tensor, F&& f) {
  return with_dtype(has_type(tensor, kElementType<bf16>) ? DType::bf16 : DType::f32, f);
}

}  // namespace diopter::c_api
