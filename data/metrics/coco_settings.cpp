#include "data/metrics/coco_settings.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace diopter {

std::vector<AreaRange> coco_areas() {
  return {
      {"all", 0, kLargestArea}, {"small", 0, 32 * 32}, {"medium", 32 * 32, 96 * 96}, {"large", 96 * 96, kLargestArea}};
}

int CocoSettings::threshold(double iou) const {
  // A range of thresholds does not always meet the number exactly.
  const auto found = std::find_if(thresholds.begin(), thresholds.end(),
                                  [iou](double threshold) { return std::fabs(threshold - iou) < 1e-9; });
  return found == thresholds.end() ? -1 : static_cast<int>(found - thresholds.begin());
}

std::vector<CocoColumn> coco_columns(const CocoSettings& settings) {
  const std::vector<AreaRange> coco = coco_areas();
  const auto suffix = [&](const AreaRange& area) {
    const bool known = std::find(coco.begin(), coco.end(), area) != coco.end();
    return known ? area.name.substr(0, 1) : "_" + area.name;
  };
  const Thresholds all = {0, static_cast<int>(settings.thresholds.size())};
  const int areas = static_cast<int>(settings.areas.size()),
            most = static_cast<int>(settings.max_detections.size()) - 1;
  std::vector<CocoColumn> columns = {{"AP", false, all, kAll, most}};
  for (const auto& [name, iou] : {std::pair{"AP50", 0.5}, std::pair{"AP75", 0.75}}) {
    const int t = settings.threshold(iou);
    if (t >= 0) columns.push_back({name, false, {t, t + 1}, kAll, most});
  }
  for (int a = 1; a < areas; ++a) columns.push_back({"AP" + suffix(settings.areas[a]), false, all, a, most});
  for (int m = 0; m <= most; ++m) {
    columns.push_back({"AR" + std::to_string(settings.max_detections[m]), true, all, kAll, m});
  }
  for (int a = 1; a < areas; ++a) columns.push_back({"AR" + suffix(settings.areas[a]), true, all, a, most});
  return columns;
}

}  // namespace diopter
