// Arrays of Python as the C interface takes them, without a copy.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <optional>

#include "retinanet/c_api/diopter.h"

namespace diopter::python {

namespace nb = nanobind;

/// An argument that is an array: of a type with DLPack's exchange in C, with __dlpack__ or with Python's buffers. Lives
/// for one call.
class Array {
 public:
  /// Throws TypeError, naming the argument, for what is no array. None gives none.
  Array(const char* name, nb::handle object, bool written = false);
  Array(const Array&) = delete;

  explicit operator bool() const { return given_; }
  /// As it is; null where there is none.
  const diopter_tensor* get() const { return given_ ? &tensor_ : nullptr; }
  /// All elements in one dimension. Throws ValueError for gaps, and unless the shape is that of `like`.
  const diopter_tensor* flat(const Array* like = nullptr);
  /// Throws ValueError unless it is float32 on the CPU, or there is none and it is not `needed`.
  void require_float_of_host(bool needed) const;
  /// The stream on which the array's library computes; null where it does not say so.
  void* stream() const;

 private:
  const char* name_;
  bool given_ = false;
  diopter_tensor tensor_{}, flat_{};
  std::int64_t count_ = 0;
  const struct DlpackExchange* exchange_ = nullptr;
  std::optional<nb::ndarray<>> holder_;
  std::optional<nb::ndarray<nb::ro>> holder_of_constant_;
};

/// Throws the Python exception of a diopter_status that is not DIOPTER_OK, with what diopter_last_error() says.
void check(int status);

}  // namespace diopter::python
