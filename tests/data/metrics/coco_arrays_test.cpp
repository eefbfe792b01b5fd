#include "data/metrics/coco_arrays.h"

#include <cmath>

#include "data/metrics/coco_metrics.h"
#include "kernels/base/hash.h"
#include "kernels/base/parallel.h"
#include "tests/data/metrics/golden_case.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

CocoSettings settings_of(const nlohmann::json& json) {
  const std::vector<double> range = json.at("iou");
  const auto steps = static_cast<int>(std::lround((range[1] - range[0]) / range[2]));
  CocoSettings settings{{}, {}, json.at("max_detections")};
  for (int i = 0; i < steps; ++i) settings.thresholds.push_back(i * ((range[1] - range[0]) / steps) + range[0]);
  settings.thresholds.push_back(range[1]);
  for (const nlohmann::json& area : json.at("areas")) settings.areas.push_back({area.at(0), area.at(1), area.at(2)});
  return settings;
}

std::string hash_of(const std::vector<double>& values) {
  Fnv1a hash;
  for (const double value : values) hash.add_number(value);
  return hash.text();
}

TEST_CASE("Every cell is pycocotools' to the last bit, for any thresholds, areas and numbers", "[coco_arrays]") {
  const int threads = thread_count();
  const nlohmann::json cases = test::golden_cases("coco_arrays");
  for (const auto& [case_name, golden] : cases.items()) {
    const test::GoldenCase c = test::read_golden_case(golden);
    for (const auto& [by, expected] : golden.at("settings").items()) {
      INFO(case_name << " by " << by);
      for (const int n : {1, 3}) {
        set_thread_count(n);
        const CocoMatches matches = match_coco(c.truth, c.detections, settings_of(expected));
        const CocoArrays arrays = coco_arrays(matches);
        std::size_t cells = 1;
        for (const std::size_t size : expected.at("shape")) cells *= size;
        CHECK(arrays.precision.size() == cells);
        CHECK(hash_of(arrays.precision) == expected.at("precision"));
        CHECK(hash_of(arrays.scores) == expected.at("scores"));
        CHECK(hash_of(arrays.recall) == expected.at("recall"));
        const CocoMetrics metrics = coco_metrics(c.truth, matches);
        CHECK(std::fabs(metrics.stats.ap - expected.at("AP").get<double>()) < 1e-12);
        const std::string recall = "AR" + std::to_string(matches.settings.max_detections.back());
        for (std::size_t i = 0; i < metrics.columns.size(); ++i) {
          if (metrics.columns[i].name != recall) continue;
          CHECK(std::fabs(metrics.values[i] - expected.at("AR").get<double>()) < 1e-12);
        }
      }
    }
  }
  set_thread_count(threads);
}

TEST_CASE("Columns follow the settings", "[coco_arrays]") {
  const auto names = [](const CocoSettings& settings) {
    std::vector<std::string> list;
    for (const CocoColumn& column : coco_columns(settings)) list.push_back(column.name);
    return list;
  };
  CHECK(names({}) == coco_column_names());
  CocoSettings settings;
  settings.thresholds = {0.3, 0.5};
  settings.areas = {{"all", 0, kLargestArea}, {"tiny", 0, 256}, {"small", 0, 1024}, {"medium", 1024, kLargestArea}};
  settings.max_detections = {5, 300};
  CHECK(names(settings) == std::vector<std::string>{"AP", "AP50", "AP_tiny", "APs", "AP_medium", "AR5", "AR300",
                                                    "AR_tiny", "ARs", "AR_medium"});
  CHECK(settings.threshold(0.5) == 1);
  CHECK(settings.threshold(0.75) == -1);
}

TEST_CASE("Images with more detections of a category than count are counted", "[coco_arrays]") {
  const Dataset truth = test::make_dataset({1, 2, 3}, {1, 2}, {{1, 1, 1, {0, 0, 10, 10}, 100}});
  std::vector<Detection> detections;
  for (int i = 0; i < 6; ++i) {
    detections.push_back({1, 1 + i % 2, {0, 0, 10, 10}, 0.5});  // three of each category
    if (i < 4) detections.push_back({3, 2, {0, 0, 10, 10}, 0.5});
  }
  CocoSettings settings;
  settings.max_detections = {4};
  CHECK(match_coco(truth, detections, settings).cut_images == 0);
  settings.max_detections = {3};
  CHECK(match_coco(truth, detections, settings).cut_images == 1);
  settings.max_detections = {2};
  CHECK(match_coco(truth, detections, settings).cut_images == 2);
}

TEST_CASE("Too many thresholds are refused", "[coco_arrays]") {
  CocoSettings settings;
  settings.thresholds.assign(33, 0.5);
  REQUIRE_THROWS_WITH(match_coco({}, {}, settings), "match_coco: 33 IoU thresholds, there may be 1 to 32");
}

}  // namespace
}  // namespace diopter
