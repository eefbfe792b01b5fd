// Training steps recorded once for each size of batch, with train.cuda_graph=true.
#pragma once

#include <functional>

#include "kernels/device/graph.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/by_batch_size.h"

namespace diopter {

/// A step, from a batch's pictures and boxes on, that is the same work for all batches of one size: number, height and
/// width of the pictures. The first batch of a size runs kernel by kernel, which is when libraries choose what to run;
/// the second one is recorded, and from then on a batch is copied to where the recorded work reads it, which runs as
/// one. Boxes have room for more than a batch has; where that is too small, the step is recorded anew with more room.
class StepGraphs {
 public:
  using Step = std::function<void(const Variable& images, const TruthTensors& truth)>;

  static constexpr int kMostSizes = kMostBatchSizes;

  /// `step` is called to run and to record: see capture_graph for what it may do.
  StepGraphs(Device device, Step step) : device_(device), step_(std::move(step)) {}

  /// Queues the step for a batch.
  void run(const Variable& images, const TruthTensors& truth);

  /// How often a step was recorded.
  int recorded() const { return recorded_; }
  /// Whether there were more sizes than are recorded: such batches run kernel by kernel.
  bool overflowed() const { return sizes_.overflowed(); }

 private:
  /// Where the recorded work of one size reads its batch.
  struct Recorded {
    Variable images;
    TruthTensors truth;
    std::function<void()> work;
  };

  void record(Recorded& recorded, const Shape& images, std::int64_t boxes);

  Device device_;
  Step step_;
  ByBatchSize<Recorded> sizes_;
  int recorded_ = 0;
};

}  // namespace diopter
