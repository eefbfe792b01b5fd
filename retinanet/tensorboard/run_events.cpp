#include "retinanet/tensorboard/run_events.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "data/pictures/image.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"

namespace diopter {

namespace {

constexpr int kScores = 101;
constexpr const char* kIteration = "iteration";

}  // namespace

PrCurve pr_curve(const CocoMatches& matches, const CategoryMatches& category, int n) {
  const std::vector<double>& thresholds = matches.settings.thresholds;
  const auto at50 = std::find(thresholds.begin(), thresholds.end(), 0.5);
  DIOPTER_CHECK(at50 != thresholds.end(), "a precision-recall curve needs matches at IoU .5");
  const std::vector<ScoredDetection> found =
      counted_detections(category, static_cast<int>(at50 - thresholds.begin()));  // by descending score
  PrCurve curve;
  for (std::vector<std::int64_t>* counts : {&curve.true_positives, &curve.false_positives, &curve.false_negatives}) {
    counts->resize(static_cast<std::size_t>(n));
  }
  std::int64_t hits = 0;
  std::size_t taken = 0;
  for (int i = n - 1; i >= 0; --i) {
    const double score = static_cast<double>(i) / (n - 1);
    for (; taken < found.size() && found[taken].score >= score; ++taken) hits += found[taken].hit;
    curve.true_positives[i] = hits;
    curve.false_positives[i] = static_cast<std::int64_t>(taken) - hits;
    curve.false_negatives[i] = category.total[kAll] - hits;
  }
  return curve;
}

RunEvents::RunEvents(const std::string& run_folder, std::int64_t iteration) : file_(run_folder + "/tensorboard") {
  if (iteration > 0) file_.restart(iteration + 1);
}

void RunEvents::numbers(const std::string& group, const std::map<std::string, std::string>& line) {
  const std::int64_t iteration = std::strtoll(line.at(kIteration).c_str(), nullptr, 10);
  for (const auto& [column, text] : line) {
    if (column != kIteration) file_.number(group + "/" + column, iteration, std::strtod(text.c_str(), nullptr));
  }
}

void RunEvents::curves(std::int64_t iteration, const CocoMetrics& metrics, const CocoMatches& matches) {
  for (std::size_t k = 0; k < metrics.per_category.size(); ++k) {
    if (metrics.per_category[k].objects == 0) continue;
    file_.curve("precision_recall/" + metrics.per_category[k].name, iteration,
                pr_curve(matches, matches.categories[k], kScores));
  }
}

void RunEvents::picture(std::int64_t iteration, const std::string& file) {
  int width = 0, height = 0;
  read_image_size(file, width, height);
  file_.picture("pictures/" + std::filesystem::path(file).filename().string(), iteration, read_file(file), width,
                height);
}

}  // namespace diopter
