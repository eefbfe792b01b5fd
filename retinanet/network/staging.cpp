#include "retinanet/network/staging.h"

#include <cstring>

#include "kernels/toolkit/dispatch.h"

namespace diopter {

void Staging::upload(std::span<const StagedArray> arrays) {
  if (device_ == Device::cpu) {
    for (const StagedArray& array : arrays) array.tensor.copy_from_host(array.values);
    return;
  }
  std::size_t bytes = 0, offset = 0;
  for (const StagedArray& array : arrays) bytes += array.tensor.bytes();
  if (!memory_ || memory_->bytes() < bytes) memory_ = DIOPTER_DISPATCH(device_, make_pinned_buffer, bytes);
  char* staged = static_cast<char*>(memory_->data());
  for (const StagedArray& array : arrays) {
    if (array.tensor.size() == 0) continue;
    std::memcpy(staged + offset, array.values, array.tensor.bytes());
    memory_->upload(array.tensor.raw(), offset, array.tensor.bytes());
    offset += array.tensor.bytes();
  }
}

}  // namespace diopter
