// DLPack's exchange of arrays in C (version 1.3): how a type of arrays, as torch.Tensor, gives a DLTensor
// and its stream without a call of Python.
#pragma once

#include <cstdint>

#include "retinanet/c_api/diopter.h"

namespace diopter::python {

/// DLPackExchangeAPI; what is not called here stands as void*.
struct DlpackExchange {
  std::uint32_t major, minor;  // version
  const DlpackExchange* previous;
  void* allocate;
  void* managed_tensor_of_object;
  void* object_of_managed_tensor;
  int (*tensor_of_object)(void* object, diopter_tensor* tensor);  // valid as long as the object; not 0: Python's error
  int (*current_stream)(std::int32_t device_type, std::int32_t device_id, void** stream);
};

}  // namespace diopter::python
