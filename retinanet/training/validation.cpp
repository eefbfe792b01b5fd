#include "retinanet/training/validation.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "data/metrics/confusion_matrix.h"
#include "data/pictures/draw.h"
#include "data/pictures/output_names.h"
#include "engine/profile/profile.h"
#include "kernels/base/text.h"
#include "retinanet/network/detect.h"
#include "retinanet/network/input.h"
#include "retinanet/training/error_crops.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/run_folder.h"

namespace diopter {

namespace {

constexpr float kPictureScore = 0.4f;  // of the detections that are drawn, at least

/// While this is alive, also when an evaluation throws, the model detects: evaluation mode, detect.precision, and its
/// averaged weights, if there are any.
class EvaluationMode {
 public:
  EvaluationMode(RetinaNet& model, WeightAverage* average)
      : model_(model), average_(average), before_(model.precision()) {
    if (average_) average_->swap();
    model_.set_training(false);
    model_.set_precision(model_.config().detect.precision);
  }
  ~EvaluationMode() {
    if (average_) average_->swap();
    model_.set_precision(before_);
  }
  EvaluationMode(const EvaluationMode&) = delete;

 private:
  RetinaNet& model_;
  WeightAverage* average_;
  DType before_;
};

/// Returns the files.
std::vector<std::string> draw_pictures(const Dataset& validation, const std::vector<Detection>& detections,
                                       const Config& config, const std::string& folder) {
  std::vector<std::string> classes;
  for (const Category& c : validation.categories) classes.push_back(c.name);
  const std::size_t count = std::min<std::size_t>(config.train.pictures, validation.images.size());
  OutputNames names;
  std::vector<std::string> files;
  for (std::size_t i = 0; i < count; ++i) {
    const ImageRecord& record = validation.images[i];
    std::vector<DetectedBox> found;
    for (const Detection& d : detections) {
      if (d.image_id != record.id) continue;
      const auto category = std::find_if(validation.categories.begin(), validation.categories.end(),
                                         [&](const Category& c) { return c.id == d.category_id; });
      found.push_back(
          {d.rect.box(), static_cast<int>(category - validation.categories.begin()), static_cast<float>(d.score)});
    }
    const Image drawn =
        draw_detections(read_image(record.file, white_of(config)), record.annotations, found, classes, kPictureScore);
    write_image(files.emplace_back(folder + "/" + names.next(record.name)), drawn);
  }
  return files;
}

std::optional<RunEvaluation::Confusion> confusion_of(const Dataset& truth, const std::vector<Detection>& detections) {
  const std::optional<ConfusedClasses> most = most_confused(confusion_matrix(truth, detections, 0));
  if (!most) return {};
  return RunEvaluation::Confusion{truth.categories[most->first].name, truth.categories[most->second].name,
                                  most->mistaken, most->found};
}

}  // namespace

std::string describe(const RunEvaluation& evaluation) {
  const std::string confused = evaluation.confusion ? "; " + describe(*evaluation.confusion) : "";
  const auto percent = [](double share) { return share < 0 ? "none" : formatted("%.1f", 100 * share); };
  return "evaluation at iteration " + std::to_string(evaluation.iteration) + ": AP " + percent(evaluation.stats.ap) +
         ", AP50 " + percent(evaluation.stats.ap50) + confused;
}

Evaluated evaluate_into_run_folder(RetinaNet& model, WeightAverage* average, const Dataset& validation,
                                   const std::string& folder, RunEvents* events, std::int64_t iteration,
                                   const std::function<void(std::int64_t, std::int64_t)>& progress,
                                   std::vector<UnreadablePicture>& skipped, Communicator& ranks) {
  const ProfiledScope phase("evaluation");
  std::vector<std::int64_t> ids;
  for (const Category& c : validation.categories) ids.push_back(c.id);
  const std::vector<Detection> detections = [&] {
    const EvaluationMode evaluation_mode(model, average);
    return detect_all(model, validation, ids, progress, &skipped, ranks);
  }();
  const Dataset evaluated = without(validation, skipped);
  const CocoMatches matches = match_coco(evaluated, detections);
  CocoMetrics metrics = coco_metrics(evaluated, matches);
  if (ranks.leads()) {
    const std::vector<std::string> drawn =
        draw_pictures(evaluated, detections, model.config(), pictures_folder(folder));
    append_evaluation(folder, iteration, metrics);
    if (events) {
      events->numbers("validation", metrics_line(iteration, metrics));
      events->curves(iteration, metrics, matches);
      for (const std::string& file : drawn) events->picture(iteration, file);
    }
  }
  RunEvaluation evaluation = run_evaluation(iteration, matches, metrics);
  evaluation.pictures = std::ssize(evaluated.images);
  evaluation.unreadable = std::ssize(skipped);
  evaluation.confusion = confusion_of(evaluated, detections);
  std::vector<double> thresholds = best_scores(best_operating_points(matches));
  if (ranks.leads()) {
    evaluation.errors =
        write_error_crops(folder, evaluated, worst_errors(evaluated, detections, matches, thresholds, kErrorCrops),
                          white_of(model.config()));
    write_evaluation(folder, evaluation);
  }
  return {std::move(metrics), std::move(evaluation), std::move(thresholds)};
}

}  // namespace diopter
