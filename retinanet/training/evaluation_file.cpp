#include "retinanet/training/evaluation_file.h"

#include <cmath>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"

namespace diopter {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Curve& curve) {
  Json list = Json::array();
  for (const double precision : curve) list.push_back(std::round(precision * 1e4) / 1e4);
  return list;
}

Json json_of(const Curves& curves) {
  return {{"0.50", json_of(curves.at50)}, {"0.75", json_of(curves.at75)}, {"0.50:0.95", json_of(curves.range)}};
}

Curves curves_of(const Json& json) { return {json.at("0.50"), json.at("0.75"), json.at("0.50:0.95")}; }

Curves curves_of(const CategoryCurves& c) { return {c.at50.precision, c.at75.precision, c.range}; }

}  // namespace

RunEvaluation run_evaluation(std::int64_t iteration, const CocoMatches& matches, const CocoMetrics& metrics) {
  RunEvaluation evaluation{.iteration = iteration, .stats = metrics.stats};
  std::vector<CategoryCurves> curves;
  for (std::size_t k = 0; k < metrics.per_category.size(); ++k) {
    const CategoryMetrics& m = metrics.per_category[k];
    const CategoryMatches& found = matches.categories[k];
    RunEvaluation::Category category{m.name, m.objects, m.stats, {}};
    if (m.objects > 0) category.curves = curves_of(curves.emplace_back(category_curves(found, matches.settings)));
    evaluation.categories.push_back(category);
    for (int area = 0; area < kAreas; ++area) evaluation.objects[area] += found.total[area];
  }
  if (!curves.empty()) evaluation.mean = curves_of(mean_curves(curves));
  return evaluation;
}

std::string evaluation_file(const std::string& folder) { return folder + "/evaluation.json"; }

void write_evaluation(const std::string& folder, const RunEvaluation& e) {
  Json categories = Json::array();
  for (const RunEvaluation::Category& c : e.categories) {
    Json& category = categories.emplace_back(Json{{"name", c.name}, {"objects", c.objects}});
    for (const CocoNumber& column : kCocoNumbers) category[column.name] = c.stats.*column.value;
    category["precision"] = json_of(c.curves);
  }
  const Json json{{"iteration", e.iteration},  {"pictures", e.pictures}, {"unreadable", e.unreadable},
                  {"stats", list_of(e.stats)}, {"objects", e.objects},   {"precision", json_of(e.mean)},
                  {"categories", categories}};
  write_file_atomically(evaluation_file(folder), json_text(json) + "\n");
}

std::optional<RunEvaluation> read_evaluation(const std::string& folder) {
  const std::string file = evaluation_file(folder);
  if (!file_exists(file)) return {};
  try {
    const Json json = parse_ordered_json(read_file(file));
    RunEvaluation e{
        .iteration = json.at("iteration"), .stats = coco_numbers(json.at("stats")), .objects = json.at("objects")};
    e.pictures = json.value("pictures", std::int64_t{0});
    e.unreadable = json.value("unreadable", std::int64_t{0});
    e.mean = curves_of(json.at("precision"));
    for (const Json& c : json.at("categories")) {
      RunEvaluation::Category& category = e.categories.emplace_back(
          RunEvaluation::Category{c.at("name"), c.at("objects"), {}, curves_of(c.at("precision"))});
      // A file from before a number existed does not have it.
      for (const CocoNumber& column : kCocoNumbers) category.stats.*column.value = c.value(column.name, -1.0);
    }
    return e;
  } catch (const nlohmann::json::exception&) {
    fail(file, ": is no evaluation of a run");
  }
}

}  // namespace diopter
