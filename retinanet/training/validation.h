// Evaluation of a run on its validation set, while it trains and at its end.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "data/unreadable_pictures.h"
#include "engine/distributed/communicator.h"
#include "engine/optimizer.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/tensorboard/run_events.h"
#include "retinanet/training/evaluation_file.h"

namespace diopter {

/// An evaluation: COCO's metrics, and what the run folder keeps of it.
struct Evaluated {
  CocoMetrics metrics;
  RunEvaluation kept;
  std::vector<double> thresholds;  // best_scores, by class
};

/// "evaluation at iteration 500: AP 31.2, AP50 62.4; 3 and 5 are taken for each other in 41 % of cases (...)"
std::string describe(const RunEvaluation& evaluation);

/// Evaluates the model, with its averaged weights where there is an `average`, in evaluation mode and detect.precision;
/// afterwards it is as it was. Adds a line to the run folder's metrics.csv, writes its evaluation.json and draws the
/// first train.pictures pictures with their detections; `events`, where it is not null, gets all three. `progress(done,
/// total)` and `skipped`: see detect_all; pictures that cannot be decoded do not count. Several ranks share the
/// pictures; all compute the metrics, which a run's schedule may depend on, and rank 0 writes and draws.
Evaluated evaluate_into_run_folder(RetinaNet& model, WeightAverage* average, const Dataset& validation,
                                   const std::string& folder, RunEvents* events, std::int64_t iteration,
                                   const std::function<void(std::int64_t done, std::int64_t total)>& progress,
                                   std::vector<UnreadablePicture>& skipped, Communicator& ranks = single_process());

}  // namespace diopter
