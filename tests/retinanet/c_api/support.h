// Arrays as a caller of the C interface holds them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/diopter.h"
#include "tests/support/catch.h"

namespace diopter::test {

/// An array on the host and the diopter_tensor that describes it.
class HostArray {
 public:
  template <class T>
  HostArray(std::vector<std::int64_t> sizes, const std::vector<T>& values)
      : shape_(std::move(sizes)), bytes_(values.size() * sizeof(T) + 1) {
    std::copy(values.begin(), values.end(), reinterpret_cast<T*>(bytes_.data()));
    const c_api::ElementType type = c_api::kElementType<T>;
    tensor = {bytes_.data(), 1,       0, static_cast<std::int32_t>(shape_.size()), type.code, type.bits, 1,
              shape_.data(), nullptr, 0};
    REQUIRE(c_api::element_count(tensor) == std::ssize(values));
  }
  HostArray(const HostArray&) = delete;

  template <class T>
  T* data() {
    REQUIRE(c_api::has_type(tensor, c_api::kElementType<T>));
    return reinterpret_cast<T*>(bytes_.data());
  }
  template <class T>
  std::vector<T> values() {
    return std::vector<T>(data<T>(), data<T>() + c_api::element_count(tensor));
  }
  operator const diopter_tensor*() const { return &tensor; }

  diopter_tensor tensor;

 private:
  std::vector<std::int64_t> shape_;
  std::vector<std::byte> bytes_;
};

/// The same filled with one value.
template <class T>
HostArray filled(const std::vector<std::int64_t>& sizes, T value) {
  std::int64_t count = 1;
  for (const std::int64_t size : sizes) count *= size;
  return HostArray(sizes, std::vector<T>(static_cast<std::size_t>(count), value));
}

/// Two levels of 2 x 3 and 1 x 2 pixels with one anchor of 8 x 8 and 16 x 16 each, 8 anchors; pixels are wider than
/// high.
struct SmallGrid {
  std::int32_t sizes[4] = {2, 3, 1, 2};
  float strides[4] = {8, 10, 16, 16};
  float boxes[8] = {-4, -4, 4, 4, -8, -8, 8, 8};
  diopter_anchor_grid grid{sizeof(diopter_anchor_grid), 2, 1, 0.5f, sizes, strides, boxes};
  static constexpr std::int64_t kAnchors = 8;
};

/// Requires that a call was refused for its arguments, in a line that has all the words.
inline void require_refused(int status, const std::vector<std::string>& words) {
  INFO(diopter_last_error());
  REQUIRE(status == DIOPTER_BAD_ARGUMENT);
  for (const std::string& word : words) {
    INFO(word);
    REQUIRE(std::string(diopter_last_error()).find(word) != std::string::npos);
  }
}

}  // namespace diopter::test
