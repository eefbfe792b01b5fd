#include "data/metrics/worst_errors.h"

#include <algorithm>

#include "kernels/base/check.h"

namespace diopter {

namespace {

template <class Before>
void keep_first(std::vector<Mistake>& mistakes, std::size_t most, const Before& before) {
  std::stable_sort(mistakes.begin(), mistakes.end(), before);
  if (mistakes.size() > most) mistakes.resize(most);
}

}  // namespace

WorstErrors worst_errors(const Dataset& truth, const std::vector<Detection>& detections, const CocoMatches& matches,
                         const std::vector<double>& thresholds, std::size_t most) {
  const int half = matches.settings.threshold(0.5);
  DIOPTER_CHECK(half >= 0, "errors need the IoU threshold 0.5 among those of --iou");
  WorstErrors worst;
  std::vector<std::vector<char>> found;  // [image][annotation]
  for (const ImageRecord& image : truth.images) found.emplace_back(image.annotations.size(), false);
  for (std::size_t k = 0; k < matches.categories.size(); ++k) {
    const CategoryMatches& category = matches.categories[k];
    for (std::size_t i = 0; i < category.outcomes.size(); ++i) {
      const Outcome& outcome = category.outcomes[i];
      const Verdict& verdict = category.verdict(i, kAll);
      const int image = matches.images[outcome.image];
      if (outcome.truth >= 0 && (thresholds.empty() || outcome.score >= thresholds[k]))
        found[image][outcome.truth] = true;
      if (verdict.hit(half) || verdict.is_ignored(half)) continue;
      worst.false_positives.push_back({image, static_cast<int>(k), detections[outcome.detection].rect, outcome.score});
    }
  }
  for (std::size_t image = 0; image < truth.images.size(); ++image) {
    const std::vector<Annotation>& objects = truth.images[image].annotations;
    for (std::size_t g = 0; g < objects.size(); ++g) {
      if (objects[g].crowd || found[image][g]) continue;
      worst.missed.push_back({static_cast<int>(image), objects[g].category, objects[g].rect, 0});
    }
  }
  keep_first(worst.false_positives, most, [](const Mistake& a, const Mistake& b) { return a.score > b.score; });
  keep_first(worst.missed, most,
             [](const Mistake& a, const Mistake& b) { return a.rect.w * a.rect.h > b.rect.w * b.rect.h; });
  return worst;
}

}  // namespace diopter
