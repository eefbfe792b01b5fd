#include "retinanet/python/arrays.h"

#include <algorithm>
#include <cstdlib>
#include <limits>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "retinanet/python/dlpack_exchange.h"

namespace diopter::python {

namespace {

/// DLDataTypeCode
enum : std::uint8_t { kInt = 0, kUnsigned = 1, kFloat = 2, kBool = 6 };

/// Null for types that have none, or one of another version.
const DlpackExchange* exchange_of_type(nb::handle type) {
  PyObject* capsule = PyObject_GetAttrString(type.ptr(), "__dlpack_c_exchange_api__");
  if (!capsule) {
    PyErr_Clear();
    return nullptr;
  }
  const nb::object owner = nb::steal(capsule);
  const auto* exchange = static_cast<const DlpackExchange*>(PyCapsule_GetPointer(capsule, "dlpack_exchange_api"));
  if (!exchange) PyErr_Clear();
  return exchange && exchange->major == 1 && exchange->tensor_of_object ? exchange : nullptr;
}

/// The same, remembered for the last type, which is kept alive (Python's lock is held).
const DlpackExchange* exchange_of(nb::handle object) {
  static PyTypeObject* last = nullptr;
  static const DlpackExchange* of_last = nullptr;
  PyTypeObject* type = Py_TYPE(object.ptr());
  if (type != last) {
    of_last = exchange_of_type(reinterpret_cast<PyObject*>(type));
    Py_INCREF(type);
    Py_XDECREF(std::exchange(last, type));
  }
  return of_last;
}

/// The kind of a buffer's elements by its format, a letter of Python's module struct; none for others.
std::optional<std::uint8_t> kind_of_format(const char* format) {
  if (!format || !format[0] || format[1]) return {};
  constexpr std::pair<std::uint8_t, std::string_view> kLetters[] = {
      {kFloat, "fde"}, {kInt, "bhilq"}, {kUnsigned, "BHILQ"}, {kBool, "?"}};
  for (const auto& [kind, letters] : kLetters) {
    if (letters.find(format[0]) != letters.npos) return kind;
  }
  return {};
}

/// An array of the host in one piece of memory, which goes with its last user.
ManagedTensor* new_host_tensor(const diopter_tensor& prototype) {
  constexpr std::size_t kAlignment = 64;
  const auto rounded = [](std::size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; };
  const auto dimensions = static_cast<std::size_t>(prototype.ndim);
  const std::size_t head = rounded(sizeof(ManagedTensor) + 2 * dimensions * sizeof(std::int64_t));
  std::size_t bytes = prototype.type_bits / 8;
  bool overflow = false;
  for (int i = 0; i < prototype.ndim; ++i) {
    overflow |= prototype.shape[i] < 0 || __builtin_mul_overflow(bytes, prototype.shape[i], &bytes);
  }
  overflow |= bytes > std::numeric_limits<std::size_t>::max() / 2;
  auto* memory = overflow ? nullptr : static_cast<char*>(std::aligned_alloc(kAlignment, head + rounded(bytes)));
  if (!memory) throw std::bad_alloc();
  auto* made =
      new (memory) ManagedTensor{1, 0, memory, [](ManagedTensor* self) { std::free(self->owner); }, 0, prototype};
  auto* shape = reinterpret_cast<std::int64_t*>(memory + sizeof(ManagedTensor));
  std::int64_t* strides = shape + dimensions;
  std::int64_t stride = 1;
  for (std::size_t i = dimensions; i-- > 0; stride *= shape[i]) shape[i] = prototype.shape[i], strides[i] = stride;
  made->tensor.data = memory + head;
  made->tensor.shape = shape;
  made->tensor.strides = strides;
  return made;
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

Array::Array(const char* name, nb::handle object, bool written) : name_(name), object_(object) {
  if (object.is_none()) return;
  given_ = true;
  if (!take_buffer(object.ptr(), written) && !take_dlpack(object, written)) {
    const std::string message = std::string(name) + ": is a " + Py_TYPE(object.ptr())->tp_name + ", must be " +
                                (written ? "an array that can be written" : "an array (NumPy, PyTorch, DLPack)");
    throw nb::type_error(message.c_str());
  }
  count_ = 1;
  for (int i = 0; i < tensor_.ndim; ++i) count_ *= tensor_.shape[i];
}

Array::~Array() {
  if (buffer_.obj) PyBuffer_Release(&buffer_);
}

bool Array::take_buffer(PyObject* object, bool written) {
  if (!PyObject_CheckBuffer(object)) return false;
  if (PyObject_GetBuffer(object, &buffer_, (written ? PyBUF_WRITABLE : 0) | PyBUF_STRIDES | PyBUF_FORMAT) != 0) {
    PyErr_Clear();
    return false;
  }
  const std::optional<std::uint8_t> kind = kind_of_format(buffer_.format);
  bool known = kind && buffer_.ndim <= static_cast<int>(strides_of_buffer_.size());
  for (int i = 0; known && i < buffer_.ndim; ++i) {
    strides_of_buffer_[i] = buffer_.strides[i] / buffer_.itemsize;
    known = buffer_.strides[i] % buffer_.itemsize == 0;
  }
  if (!known) {
    PyBuffer_Release(&buffer_);
    return false;
  }
  tensor_ = {buffer_.buf,
             kCpu,
             0,
             buffer_.ndim,
             *kind,
             static_cast<std::uint8_t>(8 * buffer_.itemsize),
             1,
             buffer_.shape,
             strides_of_buffer_.data(),
             0};
  return true;
}

bool Array::take_dlpack(nb::handle object, bool written) {
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
    return false;
  }
  return true;
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
  const bool fits = tensor_.type_code == kFloat && tensor_.type_bits == 32 && tensor_.type_lanes == 1;
  if (given_ ? fits && on_host() : !needed) return;
  refuse(std::string(name_) + ": must be float32 on the CPU");
}

nb::object Array::empty(const std::vector<std::int64_t>& shape, const char* type, nb::handle make) const {
  if (!exchange_ || !exchange_->allocate) {
    const nb::object sizes = nb::steal(PyTuple_New(static_cast<Py_ssize_t>(shape.size())));
    for (std::size_t i = 0; i < shape.size(); ++i) {
      PyTuple_SET_ITEM(sizes.ptr(), static_cast<Py_ssize_t>(i), PyLong_FromLongLong(shape[i]));
    }
    return make(sizes, type);
  }
  const std::string_view name = type;
  if (name != "float32" && name != "int32" && name != "int64") {
    throw nb::type_error("type: must be float32, int32 or int64");
  }
  diopter_tensor prototype{nullptr,
                           tensor_.device_type,
                           tensor_.device_id,
                           static_cast<std::int32_t>(shape.size()),
                           name == "float32" ? kFloat : kInt,
                           static_cast<std::uint8_t>(name == "int64" ? 64 : 32),
                           1,
                           shape.data(),
                           nullptr,
                           0};
  ManagedTensor* made = nullptr;
  std::string problem = "no array can be made";
  const auto set_problem = [](void* text, const char*, const char* message) {
    *static_cast<std::string*>(text) = message;
  };
  if (tensor_.device_type == kCpu) {
    made = new_host_tensor(prototype);
  } else if (exchange_->allocate(&prototype, &made, &problem, set_problem) != 0) {
    PyErr_SetString(PyExc_RuntimeError, problem.c_str());
    throw nb::python_error();
  }
  void* object = nullptr;
  if (exchange_->object_of_managed_tensor(made, &object) != 0) throw nb::python_error();
  return nb::steal(static_cast<PyObject*>(object));
}

void* Array::stream() const {
  void* stream = nullptr;
  if (exchange_ && exchange_->current_stream && !on_host() &&
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
