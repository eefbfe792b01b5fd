#include "data/metrics/confusion_matrix.h"

#include <algorithm>

#include "data/metrics/coco_matching.h"
#include "data/readers/id_index.h"

namespace diopter {

namespace {

constexpr double kOverlap = 0.5;

struct Found {
  const Detection* detection;
  int category;
};

void count_image(const std::vector<Annotation>& truths, std::vector<Found>& found, ConfusionMatrix& matrix) {
  const auto count = [&](std::size_t truth, std::size_t predicted) {
    ++matrix.counts[truth * (matrix.classes + 1) + predicted];
  };
  std::stable_sort(found.begin(), found.end(),
                   [](const Found& a, const Found& b) { return a.detection->score > b.detection->score; });
  std::vector<char> taken(truths.size(), false);
  for (const Found& f : found) {
    int best = -1;
    double largest = 0;
    bool in_crowd = false;
    for (std::size_t g = 0; g < truths.size(); ++g) {
      const double overlap = coco_overlap(f.detection->rect, truths[g].rect, truths[g].crowd);
      if (overlap < kOverlap || taken[g]) continue;
      if (truths[g].crowd) {
        in_crowd |= truths[g].category == f.category;
      } else if (overlap > largest) {
        best = static_cast<int>(g);
        largest = overlap;
      }
    }
    if (best >= 0) {
      taken[best] = true;
      count(truths[best].category, f.category);
    } else if (!in_crowd) {
      count(matrix.classes, f.category);
    }
  }
  for (std::size_t g = 0; g < truths.size(); ++g) {
    if (!taken[g] && !truths[g].crowd) count(truths[g].category, matrix.classes);
  }
}

}  // namespace

ConfusionMatrix confusion_matrix(const Dataset& truth, const std::vector<Detection>& detections, double score) {
  const auto images = index_by_id(truth.images);
  const auto categories = index_by_id(truth.categories);
  std::vector<std::vector<Found>> found(truth.images.size());
  for (const Detection& detection : detections) {
    const int image = find_id(images, detection.image_id), category = find_id(categories, detection.category_id);
    if (image >= 0 && category >= 0 && detection.score >= score) found[image].push_back({&detection, category});
  }
  const std::size_t classes = truth.categories.size();
  ConfusionMatrix matrix{classes, std::vector<std::int64_t>((classes + 1) * (classes + 1))};
  for (std::size_t i = 0; i < found.size(); ++i) count_image(truth.images[i].annotations, found[i], matrix);
  return matrix;
}

std::optional<ConfusedClasses> most_confused(const ConfusionMatrix& matrix) {
  std::optional<ConfusedClasses> most;
  for (std::size_t a = 0; a < matrix.classes; ++a) {
    for (std::size_t b = a + 1; b < matrix.classes; ++b) {
      const std::int64_t mistaken = matrix.at(a, b) + matrix.at(b, a);
      if (mistaken <= (most ? most->mistaken : 0)) continue;
      most = {a, b, mistaken, mistaken + matrix.at(a, a) + matrix.at(b, b)};
    }
  }
  return most;
}

}  // namespace diopter
