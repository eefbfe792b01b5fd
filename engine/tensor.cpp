#include "engine/tensor.h"

#include <algorithm>

#include "kernels/nn/elementwise.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter {

Shape::Shape(const std::vector<std::int64_t>& sizes) : rank_(static_cast<int>(sizes.size())) {
  DIOPTER_CHECK(rank_ <= kMaxRank, "a tensor has at most ", kMaxRank, " dimensions, not ", rank_);
  std::copy(sizes.begin(), sizes.end(), sizes_);
  for (std::int64_t size : sizes) DIOPTER_CHECK(size >= 0, "negative size in shape ", str());
}

std::int64_t Shape::size() const {
  std::int64_t product = 1;
  for (int i = 0; i < rank_; ++i) product *= sizes_[i];
  return product;
}

std::string Shape::str() const {
  std::string text = "[";
  for (int i = 0; i < rank_; ++i) text += (i ? ", " : "") + std::to_string(sizes_[i]);
  return text + "]";
}

struct Tensor::Storage {
  Device device;
  std::size_t bytes;
  void* memory;

  Storage(Device where, std::size_t size)
      : device(where), bytes(size), memory(DIOPTER_DISPATCH(where, allocate, size)) {}
  // NOLINTNEXTLINE(bugprone-exception-escape): the device of an allocation is there
  ~Storage() { DIOPTER_DISPATCH(device, deallocate, memory); }
  Storage(const Storage&) = delete;
};

Tensor Tensor::empty(const Shape& shape, DType dtype, Device device) {
  Tensor result;
  result.shape_ = shape;
  result.dtype_ = dtype;
  result.storage_ = std::make_shared<Storage>(device, result.bytes());
  return result;
}

Tensor Tensor::zeros(const Shape& shape, DType dtype, Device device) {
  Tensor result = empty(shape, dtype, device);
  result.zero();
  return result;
}

Tensor Tensor::full(const Shape& shape, float value, Device device) {
  Tensor result = empty(shape, DType::f32, device);
  DIOPTER_DISPATCH(device, fill, result.size(), value, result.data<float>());
  return result;
}

Device Tensor::device() const { return storage_->device; }

void* Tensor::raw() const { return static_cast<char*>(storage_->memory) + offset_; }

Tensor Tensor::slice(std::int64_t begin, std::int64_t end) const {
  DIOPTER_CHECK(shape_.rank() >= 1 && 0 <= begin && begin <= end && end <= shape_[0], "rows ", begin, " to ", end,
                " of a tensor ", shape_.str());
  Tensor result = *this;
  result.shape_[0] = 1;
  result.offset_ += static_cast<std::size_t>(begin) * result.bytes();
  result.shape_[0] = end - begin;
  return result;
}

Tensor Tensor::reshape(const Shape& shape) const {
  DIOPTER_CHECK(shape.size() == size(), "reshape of ", shape_.str(), " to ", shape.str());
  Tensor result = *this;
  result.shape_ = shape;
  return result;
}

void Tensor::move_to(Device device) const {
  if (device == storage_->device) return;
  Storage moved(device, storage_->bytes);
  if (device == Device::cpu) {
    DIOPTER_DISPATCH(storage_->device, copy_to_host, moved.memory, storage_->memory, moved.bytes);
  } else {
    DIOPTER_DISPATCH(device, copy_from_host, moved.memory, storage_->memory, moved.bytes);
  }
  std::swap(moved.device, storage_->device);
  std::swap(moved.memory, storage_->memory);
}

void Tensor::exchange_memory(const Tensor& other) const {
  DIOPTER_CHECK(bytes() == storage_->bytes && other.bytes() == other.storage_->bytes && bytes() == other.bytes() &&
                    device() == other.device(),
                "memory of ", shape_.str(), " exchanged with that of ", other.shape_.str());
  std::swap(storage_->memory, other.storage_->memory);
}

Tensor Tensor::clone() const {
  Tensor result = empty(shape_, dtype_, device());
  result.copy_from(*this);
  return result;
}

Tensor Tensor::cast(DType dtype) const {
  if (dtype == dtype_) return *this;
  const Tensor result = empty(shape_, dtype, device());
  with_dtype(dtype_, [&](auto from) {
    with_dtype(dtype, [&](auto to) {
      DIOPTER_DISPATCH(device(), cast, size(), data<decltype(from)>(), result.data<decltype(to)>());
    });
  });
  return result;
}

void Tensor::zero() const { DIOPTER_DISPATCH(device(), zero, raw(), bytes()); }

void Tensor::copy_from(const Tensor& source) const {
  DIOPTER_CHECK(source.shape_ == shape_ && source.dtype_ == dtype_, "copy of ", source.shape_.str(), " ",
                name_of(source.dtype_), " to ", shape_.str(), " ", name_of(dtype_));
  if (source.device() == device()) {
    DIOPTER_DISPATCH(device(), copy, raw(), source.raw(), bytes());
  } else if (source.device() == Device::cpu) {
    copy_from_host(source.raw());
  } else {
    source.copy_to_host(raw());
  }
}

void Tensor::copy_from_host(const void* values) const {
  DIOPTER_DISPATCH(device(), copy_from_host, raw(), values, bytes());
}

void Tensor::copy_to_host(void* values) const { DIOPTER_DISPATCH(device(), copy_to_host, values, raw(), bytes()); }

float Tensor::item() const {
  DIOPTER_CHECK(size() == 1, "item() of a tensor ", shape_.str());
  return to_vector<float>()[0];
}

}  // namespace diopter
