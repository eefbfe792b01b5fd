// Detections from the network's output: threshold, top-k per level, decoding, clipping, NMS.
#pragma once

#include <functional>
#include <vector>

#include "data/dataset.h"
#include "data/loader.h"
#include "retinanet/network/retinanet.h"

namespace diopter {

/// Detections of each picture of the batch, score descending. A CPU takes a large batch in parts, to save memory.
std::vector<std::vector<DetectedBox>> detect(const RetinaNet& model, const Batch& batch);
/// The same from the network's output for the pictures of the batch from `first` on, as many as the output has.
std::vector<std::vector<DetectedBox>> detections_of(const RetinaNet& model, const RetinaNet::Output& output,
                                                    const Batch& batch, int first = 0);

/// Runs the model over all pictures of the set, in order. `progress(done, total)` is called after each batch and may
/// throw to stop. category_ids: of the results, by class; throws Error for a picture that cannot be decoded.
std::vector<Detection> detect_all(const RetinaNet& model, const Dataset& dataset,
                                  const std::vector<std::int64_t>& category_ids,
                                  const std::function<void(std::int64_t done, std::int64_t total)>& progress);

}  // namespace diopter
