#include "retinanet/python/arrays.h"

#include <algorithm>
#include <string>

#include "retinanet/python/dlpack_exchange.h"

namespace diopter::python {

namespace {

/// Null for types that have none, or one of another version.
const DlpackExchange* exchange_of(nb::handle object) {
  PyObject* capsule =
      PyObject_GetAttrString(reinterpret_cast<PyObject*>(Py_TYPE(object.ptr())), "__dlpack_c_exchange_api__");
  if (!capsule) {
    PyErr_Clear();
    return nullptr;
  }
  const nb::object owner = nb::steal(capsule);
  const auto* exchange = static_cast<const DlpackExchange*>(PyCapsule_GetPointer(capsule, "dlpack_exchange_api"));
  if (!exchange) PyErr_Clear();
  return exchange && exchange->major == 1 && exchange->tensor_of_object ? exchange : nullptr;
}

template <class Holder>
diopter_tensor tensor_of(const Holder& array) {
  const nb::dlpack::dtype type = array.dtype();
  return {const_cast<void*>(static_cast<const void*>(array.data())),
          array.device_type(),
          array.device_id(),
          static_cast<std::int32_t>(array.ndim()),
          type.code,
          type.bits,
          type.lanes,
          array.shape_ptr(),
          array.stride_ptr(),
          0};
}

std::string shape_text(const diopter_tensor& tensor) {
  std::string text = "[";
  for (int i = 0; i < tensor.ndim; ++i) text += (i ? ", " : "") + std::to_string(tensor.shape[i]);
  return text + "]";
}

bool is_contiguous(const diopter_tensor& tensor, std::int64_t count) {
  if (!tensor.strides || count == 0) return true;
  std::int64_t expected = 1;
  for (int i = tensor.ndim; i-- > 0; expected *= tensor.shape[i]) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
  }
  return true;
}

[[noreturn]] void refuse(const std::string& message) { throw nb::value_error(message.c_str()); }

}  // namespace

Array::Array(const char* name, nb::handle object, bool written) : name_(name) {
  if (object.is_none()) return;
  given_ = true;
  exchange_ = exchange_of(object);
  if (exchange_) {
    if (exchange_->tensor_of_object(object.ptr(), &tensor_) != 0) throw nb::python_error();
  } else if (nb::ndarray<> array; nb::try_cast(object, array, false)) {
    holder_ = std::move(array);
    tensor_ = tensor_of(*holder_);
  } else if (nb::ndarray<nb::ro> constant; !written && nb::try_cast(object, constant, false)) {
    holder_of_constant_ = std::move(constant);
    tensor_ = tensor_of(*holder_of_constant_);
  } else {
    const std::string message = std::string(name) + ": is a " + Py_TYPE(object.ptr())->tp_name + ", must be " +
                                (written ? "an array that can be written" : "an array (NumPy, PyTorch, DLPack)");
    throw nb::type_error(message.c_str());
  }
  count_ = 1;
  for (int i = 0; i < tensor_.ndim; ++i) count_ *= tensor_.shape[i];
}

const diopter_tensor* Array::flat(const Array* like) {
  if (!given_) return nullptr;
  if (like && !std::equal(tensor_.shape, tensor_.shape + tensor_.ndim, like->tensor_.shape,
                          like->tensor_.shape + like->tensor_.ndim)) {
    refuse(std::string(name_) + ": has the shape " + shape_text(tensor_) + ", must have that of " + like->name_ + ", " +
           shape_text(like->tensor_));
  }
  if (!is_contiguous(tensor_, count_)) {
    refuse(std::string(name_) + ": has gaps or another order, must be contiguous (row-major)");
  }
  flat_ = tensor_;
  flat_.ndim = 1;
  flat_.shape = &count_;
  flat_.strides = nullptr;
  return &flat_;
}

void Array::require_float_of_host(bool needed) const {
  const bool fits = tensor_.type_code == 2 && tensor_.type_bits == 32 && tensor_.type_lanes == 1;
  if (given_ ? fits && tensor_.device_type == 1 : !needed) return;
  refuse(std::string(name_) + ": must be float32 on the CPU");
}

void* Array::stream() const {
  void* stream = nullptr;
  if (exchange_ && exchange_->current_stream && tensor_.device_type != 1 &&
      exchange_->current_stream(tensor_.device_type, tensor_.device_id, &stream) != 0) {
    throw nb::python_error();
  }
  return stream;
}

void check(int status) {
  if (status == DIOPTER_OK) return;
  const char* message = diopter_last_error();
  if (status == DIOPTER_BAD_ARGUMENT) throw nb::value_error(message);
  PyErr_SetString(status == DIOPTER_OUT_OF_MEMORY ? PyExc_MemoryError : PyExc_RuntimeError, message);
  throw nb::python_error();
}

}  // namespace diopter::python
