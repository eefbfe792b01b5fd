#include "data/metrics/voc_metrics.h"

#include <algorithm>
#include <cmath>

#include "data/readers/id_index.h"
#include "kernels/base/check.h"

namespace diopter {

namespace {

/// A detection's counted outcome, best score first.
struct CurvePoint {
  double recall, precision;
};

double overlap(const Rect& a, const Rect& b, double plus) {
  const double w = std::min(a.x + a.w, b.x + b.w) - std::max(a.x, b.x) + plus;
  const double h = std::min(a.y + a.h, b.y + b.h) - std::max(a.y, b.y) + plus;
  if (!(w > 0 && h > 0)) return 0;
  const double intersection = w * h;
  return intersection / ((a.w + plus) * (a.h + plus) + (b.w + plus) * (b.h + plus) - intersection);
}

/// Mean over recalls 0, .1, ... 1 of the best precision at that recall or beyond.
double eleven_point_area(const std::vector<CurvePoint>& curve) {
  double area = 0;
  for (int i = 0; i <= 10; ++i) {
    double best = 0;
    for (const CurvePoint& point : curve) {
      if (point.recall >= i * 0.1) best = std::max(best, point.precision);
    }
    area += best / 11;
  }
  return area;
}

/// Area under the curve after every precision is raised to the best one at a higher recall.
double whole_area(std::vector<CurvePoint> curve) {
  for (std::size_t i = curve.size(); i-- > 1;) {
    curve[i - 1].precision = std::max(curve[i - 1].precision, curve[i].precision);
  }
  double area = 0, recall = 0;
  for (const CurvePoint& point : curve) {
    area += (point.recall - recall) * point.precision;
    recall = point.recall;
  }
  return area;
}

/// An object of one category and whether a detection took it.
struct Object {
  const Annotation* annotation;
  bool taken = false;
  bool counts() const { return !annotation->difficult && !annotation->crowd; }
};

/// Objects and detections of one category.
struct CategoryInput {
  std::unordered_map<int, std::vector<Object>> objects;      // by image
  std::vector<std::pair<int, const Detection*>> detections;  // with their image
  std::int64_t count = 0;                                    // of objects that count
};

std::vector<CurvePoint> match_category(CategoryInput& input, const VocOptions& options) {
  std::stable_sort(input.detections.begin(), input.detections.end(),
                   [](const auto& a, const auto& b) { return a.second->score > b.second->score; });
  std::vector<CurvePoint> curve;
  std::int64_t hits = 0, misses = 0;
  for (const auto& [image, detection] : input.detections) {
    Object* best = nullptr;
    double best_overlap = -1;
    for (Object& object : input.objects[image]) {
      const double iou = overlap(detection->rect, object.annotation->rect, options.plus_one ? 1 : 0);
      if (iou > best_overlap) {
        best_overlap = iou;
        best = &object;
      }
    }
    const bool matches = options.strict ? best_overlap > options.iou_threshold : best_overlap >= options.iou_threshold;
    if (best && matches && !best->counts()) continue;
    if (best && matches && !best->taken) {
      best->taken = true;
      ++hits;
    } else {
      ++misses;
    }
    curve.push_back({.recall = static_cast<double>(hits) / static_cast<double>(input.count),
                     .precision = static_cast<double>(hits) / static_cast<double>(hits + misses)});
  }
  return curve;
}

}  // namespace

VocMetrics voc_metrics(const Dataset& truth, const std::vector<Detection>& detections, const VocOptions& options) {
  std::vector<CategoryInput> inputs(truth.categories.size());
  for (std::size_t image = 0; image < truth.images.size(); ++image) {
    for (const Annotation& annotation : truth.images[image].annotations) {
      CategoryInput& input = inputs[annotation.category];
      const Object object = {.annotation = &annotation};
      input.objects[static_cast<int>(image)].push_back(object);
      input.count += object.counts();
    }
  }
  const auto images = index_by_id(truth.images), categories = index_by_id(truth.categories);
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const int image = find_id(images, detections[i].image_id);
    const int category = find_id(categories, detections[i].category_id);
    DIOPTER_CHECK(image >= 0, "detection ", i, ": the ground truth has no image with id ", detections[i].image_id);
    DIOPTER_CHECK(!std::isnan(detections[i].score), "detection ", i, ": the score is not a number");
    if (category >= 0) inputs[category].detections.emplace_back(image, &detections[i]);
  }

  VocMetrics metrics = {.mean_ap = -1, .per_category = {}};
  double sum = 0;
  int with_objects = 0;
  for (std::size_t k = 0; k < inputs.size(); ++k) {
    double ap = -1;
    if (inputs[k].count > 0) {
      const std::vector<CurvePoint> curve = match_category(inputs[k], options);
      ap = options.eleven_point ? eleven_point_area(curve) : whole_area(curve);
      sum += ap;
      ++with_objects;
    }
    metrics.per_category.push_back(
        {.id = truth.categories[k].id, .name = truth.categories[k].name, .ap = ap, .objects = inputs[k].count});
  }
  if (with_objects > 0) metrics.mean_ap = sum / with_objects;
  return metrics;
}

}  // namespace diopter
