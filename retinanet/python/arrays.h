// Arrays of Python as the C interface takes them, without a copy.
#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "retinanet/c_api/diopter.h"

namespace diopter::python {

namespace nb = nanobind;

/// An argument that is an array: of a type with Python's buffers, with DLPack's exchange in C or with __dlpack__. Lives
/// for one call.
class Array {
 public:
  /// Throws TypeError, naming the argument, for what is no array. None gives none.
  Array(const char* name, nb::handle object, bool written = false);
  Array(const Array&) = delete;
  ~Array();

  explicit operator bool() const { return given_; }
  /// Whether it lies in memory of the host.
  bool on_host() const { return tensor_.device_type == kCpu || tensor_.device_type == kCudaHost; }
  /// As it is; null where there is none.
  const diopter_tensor* get() const { return given_ ? &tensor_ : nullptr; }
  /// All elements in one dimension. Throws ValueError for gaps, and unless the shape is that of `like`.
  const diopter_tensor* flat(const Array* like = nullptr);
  /// Throws ValueError unless it is float32 on the CPU, or there is none and it is not `needed`.
  void require_float_of_host(bool needed) const;
  /// An array of the same library, on the same device, that nothing was written to; where the type has no exchange in
  /// C, that is what `make(shape, type)` gives. type: "float32", "int32" or "int64".
  nb::object empty(const std::vector<std::int64_t>& shape, const char* type, nb::handle make) const;
  /// The stream on which the array's library computes; null where it does not say so.
  void* stream() const;

 private:
  enum { kCpu = 1, kCudaHost = 3 };  // DLDeviceType

  bool take_buffer(PyObject* object, bool written);
  bool take_dlpack(nb::handle object, bool written);

  const char* name_;
  nb::handle object_;
  bool given_ = false;
  diopter_tensor tensor_{}, flat_{};
  std::int64_t count_ = 0;
  const struct DlpackExchange* exchange_ = nullptr;
  Py_buffer buffer_{};
  std::array<std::int64_t, 8> strides_of_buffer_;
  std::optional<nb::ndarray<>> holder_;
  std::optional<nb::ndarray<nb::ro>> holder_of_constant_;
};

/// Throws the Python exception of a diopter_status that is not DIOPTER_OK, with what diopter_last_error() says.
void check(int status);

/// Calls a function of the C interface while other threads of Python run, and checks the status.
template <class Call>
void call(const Call& function) {
  int status = DIOPTER_OK;
  {
    const nb::gil_scoped_release others;
    status = function();
  }
  check(status);
}

}  // namespace diopter::python
