// A run's event files for TensorBoard, RUN/tensorboard: the numbers of metrics.csv, the drawn pictures, and
// precision-recall curves.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "data/metrics/coco_metrics.h"
#include "engine/tensorboard/event_file.h"

namespace diopter {

/// Detections at IoU .5 that are taken from each of n scores on, evenly from 0 to 1. n >= 2.
PrCurve pr_curve(const CocoMatches& matches, const CategoryMatches& category, int n);

class RunEvents {
 public:
  /// Makes the folder RUN/tensorboard and a file in it. Of a run that goes on behind an iteration, what earlier files
  /// have of later ones does not count any more. Errors as EventFile.
  explicit RunEvents(const std::string& run_folder, std::int64_t iteration = 0);

  /// GROUP/COLUMN for the numbers of a line of metrics.csv, by column; `iteration` is one of them.
  void numbers(const std::string& group, const std::map<std::string, std::string>& line);
  /// precision_recall/CLASS of the classes that have objects, at IoU .5.
  void curves(std::int64_t iteration, const CocoMetrics& metrics, const CocoMatches& matches);
  /// pictures/NAME for a picture file of the run's, named by its path.
  void picture(std::int64_t iteration, const std::string& file);

 private:
  EventFile file_;
};

}  // namespace diopter
