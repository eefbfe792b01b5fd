#include "data/metrics/coco_arrays.h"

#include "data/metrics/coco_metrics.h"
#include "kernels/base/parallel.h"

namespace diopter {

CocoArrays coco_arrays(const CocoMatches& matches) {
  const CocoSettings& settings = matches.settings;
  const std::size_t thresholds = settings.thresholds.size(), categories = matches.categories.size(),
                    areas = settings.areas.size(), most = settings.max_detections.size();
  CocoArrays arrays;
  arrays.precision.assign(thresholds * kRecalls * categories * areas * most, -1);
  arrays.scores.assign(arrays.precision.size(), -1);
  arrays.recall.assign(thresholds * categories * areas * most, -1);
  const auto fill = [&](std::size_t k, std::size_t a, std::size_t m) {
    const int area = static_cast<int>(a), detections = settings.max_detections[m];
    const std::vector<PrecisionCurve> curves = precision_curves(matches.categories[k], settings, area, detections);
    const std::vector<double> recall = recalls(matches.categories[k], settings, area, detections);
    for (std::size_t t = 0; t < thresholds; ++t) {
      arrays.recall[((t * categories + k) * areas + a) * most + m] = recall[t];
      for (std::size_t r = 0; r < kRecalls; ++r) {
        const std::size_t cell = (((t * kRecalls + r) * categories + k) * areas + a) * most + m;
        arrays.precision[cell] = curves[t].precision[r];
        arrays.scores[cell] = curves[t].score[r];
      }
    }
  };
  parallel_for(static_cast<std::int64_t>(categories), 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto k = static_cast<std::size_t>(begin); k < static_cast<std::size_t>(end); ++k) {
      for (std::size_t a = 0; a < areas; ++a) {
        for (std::size_t m = 0; m < most && matches.categories[k].total[a] > 0; ++m) fill(k, a, m);
      }
    }
  });
  return arrays;
}

}  // namespace diopter
