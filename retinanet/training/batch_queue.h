// Training batches on the device, each copied there while the step before it is computed.
#pragma once

#include <optional>

#include "data/loader.h"
#include "kernels/device/transfer.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/staging.h"

namespace diopter {

struct DeviceBatch {
  Batch host;
  Variable images;  // [images, height, width, 3]
  TruthTensors truth;
};

class BatchQueue {
 public:
  /// The loader must outlive the queue.
  BatchQueue(Loader& loader, Device device);

  /// The next batch; what is queued from now on may use it.
  DeviceBatch next();
  /// Fetches the batch after that one from the loader and queues its copy. To be called when a step's work is queued
  /// and before its batch is freed: the memory of a batch is free for the next but one. Does nothing on the CPU.
  void prefetch();

 private:
  DeviceBatch upload(Batch batch);

  Loader& loader_;
  Device device_;
  SideStream side_;
  Staging staging_;
  std::optional<DeviceBatch> ahead_;
};

}  // namespace diopter
