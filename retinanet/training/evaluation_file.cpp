#include "retinanet/training/evaluation_file.h"

#include <cmath>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

using Json = nlohmann::ordered_json;

constexpr const char* kBest = "best_F1";

Json json_of(const Curve& curve) {
  Json list = Json::array();
  for (const double precision : curve) list.push_back(std::round(precision * 1e4) / 1e4);
  return list;
}

Json json_of(const Curves& curves) {
  return {{"0.50", json_of(curves.at50)}, {"0.75", json_of(curves.at75)}, {"0.50:0.95", json_of(curves.range)}};
}

Json json_of(const OperatingPoint& point) {
  Json json;
  for (const OperatingNumber& number : kOperatingNumbers) json[number.name] = point.*number.value;
  return json;
}

/// Of the object that has it under "best_F1", if there is one.
std::optional<OperatingPoint> point_of(const Json& object) {
  if (!object.contains(kBest)) return {};
  OperatingPoint point;
  for (const OperatingNumber& number : kOperatingNumbers) point.*number.value = object.at(kBest).at(number.name);
  return point;
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
  const OperatingPoints points = best_operating_points(matches);
  for (std::size_t k = 0; k < points.categories.size(); ++k) evaluation.categories[k].best = points.categories[k];
  evaluation.best = points.all;
  if (!curves.empty()) evaluation.mean = curves_of(mean_curves(curves));
  return evaluation;
}

std::string describe(const RunEvaluation::Confusion& c) {
  return c.first + " and " + c.second + " are taken for each other in " +
         formatted("%.0f %% of cases (%lld of %lld objects)",
                   100 * static_cast<double>(c.mistaken) / static_cast<double>(c.found),
                   static_cast<long long>(c.mistaken), static_cast<long long>(c.found));
}

std::string evaluation_file(const std::string& folder) { return folder + "/evaluation.json"; }

void write_evaluation(const std::string& folder, const RunEvaluation& e) {
  Json categories = Json::array();
  for (const RunEvaluation::Category& c : e.categories) {
    Json& category = categories.emplace_back(Json{{"name", c.name}, {"objects", c.objects}});
    for (const CocoNumber& column : kCocoNumbers) category[column.name] = c.stats.*column.value;
    category["precision"] = json_of(c.curves);
    if (c.best) category[kBest] = json_of(*c.best);
  }
  Json json{{"iteration", e.iteration},  {"pictures", e.pictures}, {"unreadable", e.unreadable},
            {"stats", list_of(e.stats)}, {"objects", e.objects},   {"precision", json_of(e.mean)},
            {"categories", categories}};
  if (!e.errors.empty()) json["errors"] = Json::array();
  for (const RunEvaluation::Error& error : e.errors) {
    json["errors"].push_back(
        {{"crop", error.crop}, {"picture", error.picture}, {"class", error.category}, {"score", error.score}});
  }
  if (e.best) json[kBest] = json_of(*e.best);
  if (e.confusion) {
    json["confusion"] = {{"classes", {e.confusion->first, e.confusion->second}},
                         {"mistaken", e.confusion->mistaken},
                         {"found", e.confusion->found}};
  }
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
      category.best = point_of(c);
    }
    e.best = point_of(json);
    for (const Json& error : json.value("errors", Json::array()))
      e.errors.push_back({error.at("crop"), error.at("picture"), error.at("class"), error.at("score")});
    if (json.contains("confusion")) {
      const Json& confusion = json["confusion"];
      const Json& classes = confusion.at("classes");
      e.confusion = {classes.at(0), classes.at(1), confusion.at("mistaken"), confusion.at("found")};
    }
    return e;
  } catch (const nlohmann::json::exception&) {
    fail(file, ": is no evaluation of a run");
  }
}

}  // namespace diopter
