// Arrays for tests that run on every device of the build.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "generated/cuda_kind.h"
#include "kernels/device/memory.h"
#include "kernels/toolkit/dispatch.h"
#include "tests/support/devices.h"

namespace diopter::test {

/// An array in the memory of a device, of exactly its size.
template <class T>
class DeviceBuffer {
 public:
  DeviceBuffer(Device device, const std::vector<T>& values) : device_(device), size_(values.size()) {
    if (device == Device::cpu) {
      host_ = values;
      return;
    }
#ifdef DIOPTER_WITH_CUDA
    device_memory_ = cuda::allocate(size_ * sizeof(T));
    cuda::copy_from_host(device_memory_, values.data(), size_ * sizeof(T));
#endif
  }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;
  ~DeviceBuffer() {
#ifdef DIOPTER_WITH_CUDA
    cuda::deallocate(device_memory_);
#endif
  }

  T* data() { return device_ == Device::cpu ? host_.data() : static_cast<T*>(device_memory_); }
  std::size_t size() const { return size_; }

  /// The values, after everything that was enqueued before.
  std::vector<T> download() const {
    std::vector<T> values = host_;
#ifdef DIOPTER_WITH_CUDA
    if (device_ == Device::cuda) {
      values.resize(size_);
      cuda::copy_to_host(values.data(), device_memory_, size_ * sizeof(T));
    }
#endif
    return values;
  }

 private:
  Device device_;
  std::size_t size_;
  std::vector<T> host_;
  void* device_memory_ = nullptr;
};

/// The arrays of one kernel call, on a device. Calling it with a vector yields the pointer to give to the kernel:
/// a constant vector is copied to the device, another one to the device and, by download(), back. The same vector
/// gives the same pointer, so that in-place calls are written as they are meant.
///
/// Elements may be preceded by `offset` others, so that kernels also meet addresses that are no multiple of 16.
class DeviceArrays {
 public:
  explicit DeviceArrays(Device device, std::size_t offset = 0) : device_(device), offset_(offset) {}

  template <class T>
  const T* operator()(const std::vector<T>& input) {
    return place(input)->data() + offset_;
  }
  template <class T>
  const T* operator()(const std::vector<T>&& input) = delete;  // would be gone before the kernel runs
  template <class T>
  T* operator()(std::vector<T>& output) {
    const auto buffer = place(output);
    downloads_.insert_or_assign(&output, [this, buffer, &output] {
      const std::vector<T> all = buffer->download();
      output.assign(all.begin() + static_cast<std::ptrdiff_t>(offset_), all.end());
    });
    return buffer->data() + offset_;
  }

  /// Copies what the kernel wrote into the vectors it was given for.
  void download() const {
    for (const auto& [vector, copy] : downloads_) copy();
  }

 private:
  template <class T>
  std::shared_ptr<DeviceBuffer<T>> place(const std::vector<T>& values) {
    std::shared_ptr<void>& buffer = buffers_[&values];
    if (!buffer) {
      std::vector<T> shifted(offset_);
      shifted.insert(shifted.end(), values.begin(), values.end());
      buffer = std::make_shared<DeviceBuffer<T>>(device_, shifted);
    }
    return std::static_pointer_cast<DeviceBuffer<T>>(buffer);
  }

  Device device_;
  std::size_t offset_;
  std::map<const void*, std::shared_ptr<void>> buffers_;
  std::map<const void*, std::function<void()>> downloads_;
};

/// Calls body(arrays) on a device and copies back what it wrote:
///   on(device, [&](auto& at) { DIOPTER_DISPATCH(device, add, n, at(a), at(b), at(y)); });
template <class Body>
void on(Device device, Body body, std::size_t offset = 0) {
  DeviceArrays arrays(device, offset);
  body(arrays);
  arrays.download();
}

}  // namespace diopter::test
