// Tensor: a typed, contiguous, row-major array on one device. Copies share memory. No strides, no broadcasting.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <vector>

#include "engine/dtype.h"
#include "kernels/base/check.h"
#include "kernels/device/memory.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

/// Up to five sizes, all >= 0.
class Shape {
 public:
  static constexpr int kMaxRank = 5;

  Shape() = default;
  Shape(std::initializer_list<std::int64_t> sizes) : Shape(std::vector<std::int64_t>(sizes)) {}
  explicit Shape(const std::vector<std::int64_t>& sizes);

  int rank() const { return rank_; }
  std::int64_t operator[](int i) const { return sizes_[i]; }
  std::int64_t& operator[](int i) { return sizes_[i]; }
  /// Number of elements; 1 for rank 0.
  std::int64_t size() const;
  /// "[2, 64, 64, 3]"
  std::string str() const;
  bool operator==(const Shape&) const = default;

 private:
  int rank_ = 0;
  std::int64_t sizes_[kMaxRank] = {};
};

class Tensor {
 public:
  /// No tensor at all: defined() is false.
  Tensor() = default;

  /// Uninitialised memory. Throws Error when there is none left, or when the build lacks the device.
  static Tensor empty(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
  static Tensor zeros(const Shape& shape, DType dtype = DType::f32, Device device = Device::cpu);
  static Tensor full(const Shape& shape, float value, Device device = Device::cpu);

  /// Copies host values; their number must be that of the shape.
  template <class T>
  static Tensor from(const Shape& shape, const std::vector<T>& values, Device device = Device::cpu) {
    Tensor result = empty(shape, DTypeOf<T>::value, device);
    DIOPTER_CHECK(static_cast<std::int64_t>(values.size()) == shape.size(), values.size(), " values for shape ",
                  shape.str());
    result.copy_from_host(values.data());
    return result;
  }

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  std::int64_t size() const { return shape_.size(); }
  std::size_t bytes() const { return static_cast<std::size_t>(size()) * size_of(dtype_); }
  DType dtype() const { return dtype_; }
  Device device() const;

  /// Address of the first element, on the tensor's device. Throws Error when T is not the tensor's type.
  template <class T>
  T* data() const {
    DIOPTER_CHECK(DTypeOf<T>::value == dtype_, "tensor of ", name_of(dtype_), " read as ", name_of(DTypeOf<T>::value));
    return static_cast<T*>(raw());
  }
  void* raw() const;

  /// Rows [begin, end) of the first dimension, sharing memory.
  Tensor slice(std::int64_t begin, std::int64_t end) const;
  /// The same elements in another shape of the same size, sharing memory.
  Tensor reshape(const Shape& shape) const;
  /// Moves the memory to a device; all tensors that share it move along.
  void move_to(Device device) const;
  /// Exchanges the memory with that of a tensor of the same size, which like this one is the whole of its memory; all
  /// tensors that share either move along.
  void exchange_memory(const Tensor& other) const;
  /// A copy with memory of its own.
  Tensor clone() const;
  /// The same values as f32 or bf16: this tensor where it has the type already, else a rounded copy.
  Tensor cast(DType dtype) const;
  void zero() const;
  /// Copies all elements of `source`, which has the same shape and type and may be on the other device.
  void copy_from(const Tensor& source) const;
  void copy_from_host(const void* values) const;

  /// Elements on the host.
  template <class T>
  std::vector<T> to_vector() const {
    data<T>();
    std::vector<T> values(static_cast<std::size_t>(size()));
    copy_to_host(values.data());
    return values;
  }
  /// The only element of a float tensor of size 1, on the host.
  float item() const;

  /// Whether no other tensor shares the memory.
  bool unique() const { return storage_.use_count() == 1; }

 private:
  struct Storage;
  void copy_to_host(void* values) const;

  std::shared_ptr<Storage> storage_;
  std::size_t offset_ = 0;  // bytes
  Shape shape_;
  DType dtype_ = DType::f32;
};

}  // namespace diopter
