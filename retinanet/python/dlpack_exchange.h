// DLPack's exchange of arrays in C (version 1.3): how a type of arrays, as torch.Tensor, gives a DLTensor, makes an
// array and says its stream without a call of Python.
#pragma once

#include <cstdint>

#include "retinanet/c_api/diopter.h"

namespace diopter::python {

/// DLManagedTensorVersioned
struct ManagedTensor {
  std::uint32_t major, minor;  // version
  void* owner;
  void (*deleter)(ManagedTensor* self);
  std::uint64_t flags;
  diopter_tensor tensor;
};

/// DLPackExchangeAPI; what is not called here stands as void*. Functions give 0, or set Python's error.
struct DlpackExchange {
  std::uint32_t major, minor;  // version
  const DlpackExchange* previous;
  /// An array that nothing was written to, of the prototype's shape, type and device. Tells `set_error` what failed.
  int (*allocate)(diopter_tensor* prototype, ManagedTensor** tensor, void* error,
                  void (*set_error)(void* error, const char* kind, const char* message));
  void* managed_tensor_of_object;
  int (*object_of_managed_tensor)(ManagedTensor* tensor, void** object);
  int (*tensor_of_object)(void* object, diopter_tensor* tensor);  // valid as long as the object
  int (*current_stream)(std::int32_t device_type, std::int32_t device_id, void** stream);
};

}  // namespace diopter::python
