// Copies of a batch's arrays to a device.
#pragma once

#include <memory>
#include <span>

#include "engine/tensor.h"
#include "kernels/device/transfer.h"

namespace diopter {

/// An array on the host, and the tensor that it goes to.
struct StagedArray {
  const void* values;
  Tensor tensor;
};

/// Page-locked memory that arrays are copied through, so that nothing waits for their copies; on a CPU they are copied
/// at once.
class Staging {
 public:
  explicit Staging(Device device) : device_(device) {}
  /// Queues the copies. The arrays may go as soon as this returns.
  void upload(std::span<const StagedArray> arrays);

 private:
  Device device_;
  std::unique_ptr<PinnedBuffer> memory_;
};

}  // namespace diopter
