// Detections from the network's output: threshold, top-k per level, decoding, clipping, NMS.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "engine/distributed/communicator.h"
#include "kernels/device/graph.h"
#include "retinanet/detection/merge_views.h"
#include "retinanet/network/by_batch_size.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/network/staging.h"

namespace diopter {

/// Detects in batch after batch. Keeps what outlives a batch: page-locked memory and, on a GPU with detect.cuda_graph,
/// the recorded work of each size of batch (docs/cuda_graph.md). The model must outlive it, and its weights stay where
/// they are.
class Detector {
 public:
  explicit Detector(const RetinaNet& model);

  /// Detections in each picture or view of the batch, in its pixels, score descending. A CPU takes a large batch in
  /// parts, to save memory. A GPU gets the batch in one copy, and one copy brings the detections back.
  std::vector<std::vector<DetectedBox>> operator()(const Batch& batch);

  const RetinaNet& model() const { return model_; }

  /// How often work was recorded.
  int recorded() const { return recorded_; }

 private:
  /// Where the work of one size reads its batch and writes what it found, and the work, where it is recorded.
  struct Recorded {
    Tensor images, sizes, kept;
    std::function<void()> work;
  };

  void record(Recorded& recorded);
  /// Queues network and post-processing.
  void queue(const Recorded& at) const;
  std::vector<std::vector<DetectedBox>> on_gpu(const Batch& batch);

  const RetinaNet& model_;
  Staging staging_;
  std::unique_ptr<PinnedBuffer> found_;
  ByBatchSize<Recorded> sizes_;
  int recorded_ = 0;
};

/// What was found in a picture of a set.
struct FoundInPicture {
  std::size_t picture;             // index into Dataset::images
  std::vector<DetectedBox> boxes;  // in pixels of the picture, score descending
};

/// Puts together what was found in the views of pictures, in the order of EvaluationLoader: for evaluation and detect,
/// with and without tiles.
class PictureAssembly {
 public:
  explicit PictureAssembly(const Config::Detect& rule) : rule_(rule) {}

  /// `found`: by view, as a Detector returns it. Returns the pictures of which this was the last view. A
  /// picture that was skipped in between never comes.
  std::vector<FoundInPicture> add(const std::vector<PictureView>& views, std::vector<std::vector<DetectedBox>> found);

 private:
  const Config::Detect& rule_;
  std::size_t picture_ = 0;  // of views_
  std::vector<ViewDetections> views_;
};

/// What a detector finds in a picture in memory, in its pixels, score descending; with tiles where the model's
/// configuration has them.
std::vector<DetectedBox> detect_in(Detector& detector, const Image& picture);

/// The logit of a probability; of 0: minus infinity.
float logit_of(double p);

/// What a Detector finds in a single batch.
std::vector<std::vector<DetectedBox>> detect(const RetinaNet& model, const Batch& batch);
/// The same from the network's output for the pictures of the batch from `first` on, as many as the output has.
std::vector<std::vector<DetectedBox>> detections_of(const RetinaNet& model, const RetinaNet::Output& output,
                                                    const Batch& batch, int first = 0);

/// Runs the model over all pictures of the set, in order. `progress(done, total)` is called after each batch and may
/// throw to stop. category_ids: of the results, by class. Pictures that cannot be decoded are put into `skipped`, in
/// the order of the set; without it one throws Error, and with it when there is no other. Several ranks, which have the
/// same model and set, share the batches; all get all detections, and `progress` is called on all with the same
/// numbers, after as many batches as there are ranks.
std::vector<Detection> detect_all(const RetinaNet& model, const Dataset& dataset,
                                  const std::vector<std::int64_t>& category_ids,
                                  const std::function<void(std::int64_t done, std::int64_t total)>& progress,
                                  std::vector<UnreadablePicture>* skipped = nullptr,
                                  Communicator& ranks = single_process());

}  // namespace diopter
