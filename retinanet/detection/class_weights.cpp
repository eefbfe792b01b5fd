#include "retinanet/detection/class_weights.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/base/check.h"

namespace diopter {

std::vector<std::int64_t> boxes_of_classes(const Dataset& dataset) {
  std::vector<std::int64_t> boxes(dataset.categories.size());
  for (const ImageRecord& image : dataset.images) {
    for (const Annotation& a : image.annotations) {
      if (!a.crowd && !a.difficult) ++boxes[a.category];
    }
  }
  return boxes;
}

Config with_class_weights(Config config, const Dataset& training) {
  ClassWeights& weights = config.loss.class_weights;
  if (weights.rule == ClassWeightRule::stated || weights.rule == ClassWeightRule::none) return config;
  const std::vector<std::int64_t> boxes = boxes_of_classes(training);
  const auto missing = std::find(boxes.begin(), boxes.end(), 0);
  DIOPTER_CHECK(missing == boxes.end(), "loss.class_weights = ", name_of(kClassWeightRules, weights.rule),
                ": the training set has no box of class ", training.categories[missing - boxes.begin()].name, ", of ",
                std::count(boxes.begin(), boxes.end(), 0), " such classes: leave them out, or state a list of ",
                boxes.size(), " weights");
  for (const std::int64_t n : boxes) {
    const double count = static_cast<double>(n), beta = config.loss.effective_beta;
    // 1 - beta^n without cancellation; without beta every class has one effective box.
    const double effective = beta > 0 ? -std::expm1(count * std::log(beta)) / (1 - beta) : 1;
    weights.values.push_back(1 / (weights.rule == ClassWeightRule::balanced ? count : effective));
  }
  const double mean =
      std::accumulate(weights.values.begin(), weights.values.end(), 0.0) / static_cast<double>(weights.values.size());
  for (double& weight : weights.values) weight /= mean;
  weights.rule = ClassWeightRule::stated;
  return config;
}

std::vector<float> class_weights(const ClassWeights& weights, int classes) {
  if (weights.rule == ClassWeightRule::none) return {};
  DIOPTER_CHECK(weights.rule == ClassWeightRule::stated,
                "loss.class_weights = ", name_of(kClassWeightRules, weights.rule),
                " is found when training starts: here it must be a list of numbers");
  DIOPTER_CHECK(std::ssize(weights.values) == classes, "loss.class_weights has ", weights.values.size(),
                " numbers, and there are ", classes, " classes");
  return std::vector<float>(weights.values.begin(), weights.values.end());
}

}  // namespace diopter
