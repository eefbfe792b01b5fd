#include "tools/evaluate/arrays.h"

#include <map>
#include <vector>

#include "data/metrics/coco_arrays.h"
#include "engine/files/safetensors.h"
#include "kernels/base/json.h"

namespace diopter {

namespace {

template <class Number>
std::string_view bytes_of(const Number* numbers, std::size_t count) {
  return {reinterpret_cast<const char*>(numbers), count * sizeof(Number)};
}

template <class Named>
std::string names_of(const std::vector<Named>& things) {
  nlohmann::json names = nlohmann::json::array();
  for (const Named& thing : things) names.push_back(thing.name);
  return json_text(names);
}

}  // namespace

void write_arrays(const std::string& file, const Dataset& truth, const CocoMatches& matches) {
  const CocoSettings& settings = matches.settings;
  const CocoArrays arrays = coco_arrays(matches);
  std::vector<double> areas;
  for (const AreaRange& area : settings.areas) areas.insert(areas.end(), {area.low, area.high});
  std::vector<std::int64_t> ids;
  for (const Category& category : truth.categories) ids.push_back(category.id);
  const std::vector<std::int64_t> detections(settings.max_detections.begin(), settings.max_detections.end());
  const auto size = [](const auto& list) { return static_cast<std::int64_t>(list.size()); };
  const std::int64_t t = size(settings.thresholds), r = kRecalls, k = size(ids), a = size(settings.areas),
                     m = size(detections);
  const auto floats = [](const std::string& name, const std::vector<std::int64_t>& sizes, const auto& values) {
    return StoredArray{name, "F64", sizes, bytes_of(values.data(), values.size())};
  };
  const auto integers = [](const std::string& name, const std::vector<std::int64_t>& values) {
    return StoredArray{name, "I64", {static_cast<std::int64_t>(values.size())}, bytes_of(values.data(), values.size())};
  };
  write_safetensors(
      file,
      {floats("precision", {t, r, k, a, m}, arrays.precision), floats("recall", {t, k, a, m}, arrays.recall),
       floats("scores", {t, r, k, a, m}, arrays.scores), floats("iou_thresholds", {t}, settings.thresholds),
       floats("recall_thresholds", {r}, kRecallPoints), integers("category_ids", ids), floats("areas", {a, 2}, areas),
       integers("max_detections", detections)},
      {{"areas", names_of(settings.areas)}, {"categories", names_of(truth.categories)}});
}

}  // namespace diopter
