#include "tools/command/thresholds.h"

#include <algorithm>
#include <optional>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const std::optional<OperatingPoint>& point) {
  if (!point) return nullptr;
  Json json;
  for (const OperatingNumber& number : kOperatingNumbers) json[number.name] = (*point).*number.value;
  return json;
}

/// Nothing for null.
std::optional<float> score_of(const Json& entry, const std::string& file, const std::string& place) {
  if (entry.is_null()) return std::nullopt;
  const bool fits = entry.is_object() && entry.contains("score") && entry.at("score").is_number();
  DIOPTER_CHECK(fits, file, ": ", place, ": must be null or an object with a \"score\"");
  return static_cast<float>(entry.at("score").get<double>());
}

}  // namespace

std::string thresholds_text(const OperatingPoints& points, const std::vector<std::string>& names) {
  Json classes = Json::object();
  for (std::size_t k = 0; k < names.size(); ++k) {
    DIOPTER_CHECK(!classes.contains(names[k]), "two classes are called '", names[k], "': thresholds belong to names");
    classes[names[k]] = json_of(points.categories.at(k));
  }
  return json_text(Json{{"iou", points.iou}, {"all", json_of(points.all)}, {"classes", classes}}, 1) + "\n";
}

std::vector<float> read_thresholds(const std::string& file, const std::vector<std::string>& classes) {
  Json json;
  try {
    json = parse_ordered_json(read_file(file));
  } catch (const nlohmann::json::exception&) {
    fail(file, ": is no JSON");
  }
  const bool fits = json.is_object() && json.contains("all") && json.contains("classes") && json["classes"].is_object();
  DIOPTER_CHECK(fits, file, ": is no file of thresholds: diopter evaluate --thresholds writes them");
  for (const auto& [name, entry] : json["classes"].items()) {
    DIOPTER_CHECK(std::count(classes.begin(), classes.end(), name), file, ": has a threshold for '", name,
                  "', and the model finds ", quoted_list(classes),
                  ": diopter evaluate --thresholds makes one for this model");
  }
  const std::optional<float> of_all = score_of(json["all"], file, "all");
  std::vector<float> thresholds;
  for (const std::string& name : classes) {
    const std::optional<float> own =
        json["classes"].contains(name) ? score_of(json["classes"][name], file, "classes." + name) : std::nullopt;
    DIOPTER_CHECK(own || of_all, file, ": has no threshold for '", name, "', and none for all classes");
    thresholds.push_back(own ? *own : *of_all);
  }
  return thresholds;
}

}  // namespace diopter
