#include "retinanet/c_api/arrays.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <limits>
#include <vector>

#include "generated/cuda_kind.h"
#include "kernels/device/borrowed_stream.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/c_api/call.h"

namespace diopter::c_api {

namespace {

// The layout of DLPack's DLTensor.
static_assert(sizeof(void*) != 8 ||
              (sizeof(diopter_tensor) == 48 && offsetof(diopter_tensor, device_type) == 8 &&
               offsetof(diopter_tensor, ndim) == 16 && offsetof(diopter_tensor, type_code) == 20 &&
               offsetof(diopter_tensor, type_lanes) == 22 && offsetof(diopter_tensor, shape) == 24 &&
               offsetof(diopter_tensor, strides) == 32 && offsetof(diopter_tensor, byte_offset) == 40));

constexpr int kMostDimensions = 8;

// DLDeviceType
enum { kCpu = 1, kCuda = 2, kCudaHost = 3, kCudaManaged = 13 };

std::string type_name(const diopter_tensor& tensor) {
  constexpr const char* kKinds[] = {"int", "uint", "float", nullptr, "bfloat", "complex", "bool"};  // DLDataTypeCode
  const char* kind = tensor.type_code < std::size(kKinds) ? kKinds[tensor.type_code] : nullptr;
  if (kind && has_type(tensor, kElementType<bool>)) return kind;
  const std::string lanes = tensor.type_lanes == 1 ? "" : ", " + std::to_string(tensor.type_lanes) + " lanes";
  if (kind) return kind + std::to_string(tensor.type_bits) + lanes;
  return "type code " + std::to_string(tensor.type_code) + " of " + std::to_string(tensor.type_bits) + " bits" + lanes;
}

template <class List>
std::string sizes_text(const List& sizes) {
  std::string text;
  for (const std::int64_t size : sizes) {
    text += (text.empty() ? "[" : ", ") + (size == kAny ? "*" : std::to_string(size));
  }
  return (text.empty() ? "[" : text) + "]";
}

std::string text_of(const diopter_tensor& tensor) {
  std::string text = type_name(tensor);
  if (tensor.ndim < 0 || tensor.ndim > kMostDimensions)
    return text + " of " + std::to_string(tensor.ndim) + " dimensions";
  if (tensor.ndim > 0 && !tensor.shape)
    return text + " of " + std::to_string(tensor.ndim) + " dimensions without a shape";
  return text + " " + sizes_text(std::vector<std::int64_t>(tensor.shape, tensor.shape + tensor.ndim));
}

bool fits(const diopter_tensor& tensor, Sizes sizes) {
  if (tensor.ndim != static_cast<std::int64_t>(sizes.size()) || (tensor.ndim > 0 && !tensor.shape)) return false;
  return std::equal(sizes.begin(), sizes.end(), tensor.shape,
                    [](std::int64_t wanted, std::int64_t size) { return wanted == kAny ? size >= 0 : size == wanted; });
}

/// Throws BadArgument for more elements than memory can hold.
void check_size(const char* name, const diopter_tensor& tensor) {
  std::int64_t bytes = tensor.type_bits / 8;
  bool overflow = false;
  for (int i = 0; i < tensor.ndim; ++i) overflow |= __builtin_mul_overflow(bytes, tensor.shape[i], &bytes);
  if (overflow) require(false, name, ": ", text_of(tensor), " is more than memory can hold");
}

/// Row-major without gaps; the strides of dimensions of one element do not matter.
bool is_contiguous(const diopter_tensor& tensor) {
  if (!tensor.strides || element_count(tensor) == 0) return true;
  std::int64_t expected = 1;
  for (int i = tensor.ndim; i-- > 0; expected *= tensor.shape[i]) {
    if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
  }
  return true;
}

}  // namespace

std::int64_t element_count(const diopter_tensor& tensor) {
  std::int64_t count = 1;
  for (int i = 0; i < tensor.ndim; ++i) count *= tensor.shape[i];
  return count;
}

int as_int(std::int64_t size, const char* what) {
  require(size <= std::numeric_limits<int>::max(), size, " ", what, " are more than 2^31 - 1");
  return static_cast<int>(size);
}

void* Arrays::get(const char* name, const diopter_tensor* tensor, std::initializer_list<ElementType> types,
                  Sizes sizes) {
  std::string wanted;
  const auto must_be = [&] {
    for (const ElementType& type : types) wanted += (wanted.empty() ? "" : " or ") + std::string(type.name);
    return wanted + " " + sizes_text(sizes);
  };
  if (!tensor) require(false, name, ": is null, must be ", must_be());
  const bool known =
      std::any_of(types.begin(), types.end(), [&](const ElementType& t) { return has_type(*tensor, t); });
  if (!known || !fits(*tensor, sizes)) require(false, name, ": is ", text_of(*tensor), ", must be ", must_be());
  check_size(name, *tensor);
  check_device(name, *tensor);
  require(is_contiguous(*tensor), name, ": has gaps or another order, must be contiguous (row-major)");
  require(tensor->data || element_count(*tensor) == 0, name, ": its data are null");
  if (!tensor->data) return nullptr;
  char* data = static_cast<char*>(tensor->data) + tensor->byte_offset;
  require(reinterpret_cast<std::uintptr_t>(data) % (tensor->type_bits / 8u) == 0, name,
          ": its data are not aligned to the size of an element");
  return data;
}

void Arrays::check_device(const char* name, const diopter_tensor& tensor) {
  const bool cpu = tensor.device_type == kCpu || tensor.device_type == kCudaHost;
  const bool cuda = tensor.device_type == kCuda || tensor.device_type == kCudaManaged;
  require(cpu || cuda, name, ": lies on a device of type ", tensor.device_type, ", must be 1 (CPU) or 2 (CUDA)");
  require(cpu || !only_host_, name, ": lies on a GPU, must be memory of the host");
#ifndef DIOPTER_WITH_CUDA
  require(cpu, name, ": lies on a GPU, and this library was built without CUDA");
#endif
  require(cpu || tensor.device_id == 0, name, ": lies on GPU ", tensor.device_id,
          ", must be 0: CUDA_VISIBLE_DEVICES chooses the GPU");
  const Device device = cuda ? Device::cuda : Device::cpu;
  if (!first_) {
    first_ = name;
    device_ = device;
  }
  require(device == device_, name, ": lies on the ", cuda ? "GPU" : "CPU", ", must lie where ", first_, " does");
}

std::shared_ptr<const void> Arrays::on_stream(void* stream) const {
  return DIOPTER_DISPATCH(device_, borrow_stream, stream);
}

}  // namespace diopter::c_api
