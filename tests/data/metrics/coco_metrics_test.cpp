#include "data/metrics/coco_metrics.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>

#include "data/readers/coco.h"
#include "kernels/base/check.h"
#include "kernels/base/json.h"
#include "kernels/base/parallel.h"
#include "tests/data/make_dataset.h"
#include "tests/data/metrics/golden_case.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

namespace fs = std::filesystem;
using test::make_dataset;
using test::Truth;

// The reference's own numbers differ by about 1e-16 between releases of numpy, which sum in another order.
constexpr double kTolerance = 1e-9;

void check_stats(const Dataset& truth, const std::vector<Detection>& detections,
                 const std::array<double, 12>& expected) {
  const CocoMetrics metrics = coco_metrics(truth, detections);
  REQUIRE(std::size(kCocoNumbers) == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(kCocoNumbers[i].name);
    CHECK(std::fabs(metrics.stats.*kCocoNumbers[i].value - expected[i]) <= kTolerance);
  }
}

// Expected numbers of this file: pycocotools 2.0.11.

TEST_CASE("Equal scores keep the order of images by id, then of the list", "[coco_metrics]") {
  const Rect box = {10, 10, 20, 20};
  const Dataset truth =
      make_dataset({30, 7, 12}, {1}, {{1, 7, 1, box, 400}, {2, 12, 1, box, 400}, {3, 30, 1, box, 400}});
  check_stats(truth,
              {{30, 1, {12, 10, 20, 20}, .5},
               {12, 1, {60, 60, 20, 20}, .5},
               {7, 1, box, .5},
               {7, 1, {11, 10, 20, 20}, .5},
               {12, 1, box, .5},
               {30, 1, box, .5}},
              {0.71475247524752461, 0.73465346534653408, 0.73465346534653408, 0.71475247524752461, -1, -1,
               0.56666666666666665, 1, 1, 1, -1, -1});
}

TEST_CASE("Of equal overlaps the later ground truth is taken", "[coco_metrics]") {
  const Dataset truth = make_dataset({1}, {1}, {{1, 1, 1, {0, 0, 10, 10}, 100}, {2, 1, 1, {4, 0, 10, 10}, 100}});
  check_stats(truth, {{1, 1, {2, 0, 10, 10}, .9}, {1, 1, {5, 0, 10, 10}, .8}, {1, 1, {0, 0, 10, 10}, .3}},
              {0.58448844884488438, 0.83498349834983498, 0.66666666666666685, 0.58448844884488438, -1, -1, 0.2, 0.85,
               0.85, 0.85, -1, -1});
}

// pycocotools takes min(threshold, 1 - 1e-10).
TEST_CASE("At the threshold 1 an overlap short of 1 by rounding is a hit", "[coco_metrics]") {
  const Dataset truth = make_dataset({1}, {1}, {{1, 1, 1, {0, 0, 10, 10}, 100}});
  CocoSettings settings;
  settings.thresholds = {1.0};
  const auto ap = [&](double width) {
    return coco_metrics(truth, match_coco(truth, {{1, 1, {0, 0, width, 10}, .9}}, settings)).stats.ap;
  };
  CHECK(ap(10) == Approx(1));
  CHECK(ap(10 + 5e-10) == Approx(1));
  CHECK(ap(10 + 5e-9) == 0);
}

TEST_CASE("A crowd takes any number of detections that no object fits", "[coco_metrics]") {
  const Dataset truth = make_dataset({1}, {1},
                                     {{1, 1, 1, {0, 0, 100, 100}, 10000, true},
                                      {2, 1, 1, {10, 10, 20, 20}, 400},
                                      {3, 1, 1, {200, 200, 50, 50}, 2500}});
  check_stats(truth,
              {{1, 1, {40, 40, 20, 20}, .9},
               {1, 1, {50, 50, 20, 20}, .8},
               {1, 1, {10, 10, 20, 20}, .7},
               {1, 1, {12, 10, 20, 20}, .6},
               {1, 1, {90, 90, 20, 20}, .5},
               {1, 1, {203, 200, 50, 50}, .4}},
              {0.76897689768976885, 0.83498349834983498, 0.83498349834983498, 0.99999999999999978, 0.79999999999999993,
               -1, 0, 0.9, 0.9, 1, 0.8, -1});
}

TEST_CASE("Area ranges include both ends and ignore what lies outside", "[coco_metrics]") {
  const Dataset truth = make_dataset({1}, {1},
                                     {{1, 1, 1, {0, 0, 32, 32}, 1024},
                                      {2, 1, 1, {100, 0, 96, 96}, 9216},
                                      {3, 1, 1, {300, 0, 120, 120}, 5000},
                                      {4, 1, 1, {0, 300, 10, 10}, 100}});
  check_stats(truth,
              {{1, 1, {0, 0, 32, 33}, .9},
               {1, 1, {100, 0, 96, 97}, .8},
               {1, 1, {300, 0, 118, 120}, .7},
               {1, 1, {0, 302, 10, 10}, .6},
               {1, 1, {500, 500, 20, 20}, .65},
               {1, 1, {500, 300, 50, 50}, .95},
               {1, 1, {500, 0, 100, 100}, .55}},
              {0.63036303630363033, 0.72937293729372954, 0.5643564356435643, 0.6369636963696369, 0.75,
               0.99999999999999978, 0, 0.85, 0.85, 0.7, 1, 1});
}

TEST_CASE("At most 1, 10 and 100 detections of an image count", "[coco_metrics]") {
  std::vector<Truth> truths;
  for (int k = 0; k < 5; ++k) truths.push_back({k + 1, 1, 1, {50.0 * k, 0, 20, 20}, 400});
  std::vector<Detection> detections;
  for (int d = 0; d < 105; ++d) detections.push_back({1, 1, {50.0 * (d % 40), 100, 20, 20}, (200 - d) / 256.0});
  constexpr std::array<int, 5> kHits = {0, 4, 49, 99, 102};  // the last one is beyond 100
  for (std::size_t k = 0; k < kHits.size(); ++k) detections[kHits[k]].rect = truths[k].rect;
  check_stats(make_dataset({1}, {1}, truths), detections,
              {0.30693069306930687, 0.30693069306930687, 0.30693069306930687, 0.30693069306930687, -1, -1, 0.2, 0.4,
               0.8, 0.8, -1, -1});
}

TEST_CASE("Categories are matched apart, and one with crowds only does not count", "[coco_metrics]") {
  const Dataset truth = make_dataset({1, 2}, {3, 18, 90},
                                     {{1, 1, 3, {0, 0, 40, 40}, 1600},
                                      {2, 2, 3, {0, 0, 40, 40}, 1600},
                                      {3, 2, 90, {100, 100, 30, 30}, 900},
                                      {4, 2, 18, {0, 0, 50, 50}, 2500, true}});
  const std::vector<Detection> detections = {{1, 3, {0, 4, 40, 40}, .9},     {2, 3, {8, 0, 40, 40}, .6},
                                             {2, 3, {100, 100, 40, 40}, .7}, {2, 18, {0, 0, 50, 50}, .9},
                                             {1, 90, {0, 0, 10, 10}, .99},   {2, 90, {101, 101, 30, 30}, .3}};
  check_stats(truth, detections,
              {0.44273927392739271, 0.66749174917491738, 0.50247524752475248, 0.4, 0.48547854785478539, -1, 0.575,
               0.675, 0.675, 0.8, 0.55, -1});
  const CocoMetrics metrics = coco_metrics(truth, detections);
  REQUIRE(metrics.per_category.size() == 3);
  CHECK(metrics.per_category[0].id == 3);
  CHECK(metrics.per_category[0].name == "c3");
  CHECK(metrics.per_category[0].objects == 2);
  CHECK(metrics.per_category[1].stats.ap == -1);
  CHECK(metrics.per_category[1].recall_per_iou[0] == -1);
  CHECK(metrics.per_category[1].objects == 0);
  CHECK(metrics.per_category[2].stats.ar100 == Approx(0.8));
}

TEST_CASE("Nothing to find, nothing found", "[coco_metrics]") {
  const Dataset object = make_dataset({1}, {1}, {{1, 1, 1, {0, 0, 20, 20}, 400}});
  const Dataset empty = make_dataset({1}, {1}, {});
  const std::array<double, 12> nothing = {-1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1};
  check_stats(object, {}, {0, 0, 0, 0, -1, -1, 0, 0, 0, 0, -1, -1});
  check_stats(empty, {{1, 1, {0, 0, 10, 10}, .5}}, nothing);
  check_stats(empty, {}, nothing);
  check_stats({}, {}, nothing);
}

TEST_CASE("An annotation with id 0 is taken but never counts as found", "[coco_metrics]") {
  const Dataset truth = make_dataset({1}, {1}, {{0, 1, 1, {0, 0, 20, 20}, 400}, {1, 1, 1, {50, 0, 20, 20}, 400}});
  const std::vector<Detection> detections = {{1, 1, {0, 0, 20, 20}, .9}, {1, 1, {50, 0, 20, 20}, .8}};
  check_stats(truth, detections,
              {0.25247524752475248, 0.25247524752475248, 0.25247524752475248, 0.25247524752475248, -1, -1, 0, 0.5, 0.5,
               0.5, -1, -1});
  CHECK(coco_metrics(truth, detections).warnings ==
        std::vector<std::string>{"an annotation has id 0: it is never matched, as in pycocotools; number them from 1 "
                                 "(evaluate --renumber)"});
}

TEST_CASE("Detections of unknown categories are left out, other strangers refused", "[coco_metrics]") {
  const Dataset truth = make_dataset({1}, {1}, {{1, 1, 1, {0, 0, 20, 20}, 400}});
  const Detection hit = {1, 1, {0, 0, 20, 20}, .5}, other = {1, 2, {0, 0, 20, 20}, .9},
                  stranger = {2, 1, {0, 0, 1, 1}, .5};
  const CocoMetrics metrics = coco_metrics(truth, {other, hit});
  CHECK(metrics.stats.ap == Approx(1));
  CHECK(metrics.warnings ==
        std::vector<std::string>{"detections of categories that the ground truth does not have: 1, left out"});
  REQUIRE_THROWS_WITH(coco_metrics(truth, {hit, stranger}), "detection 1: the ground truth has no image with id 2");
  Detection unordered = hit;
  unordered.score = std::numeric_limits<double>::quiet_NaN();
  REQUIRE_THROWS_WITH(coco_metrics(truth, {unordered}), "detection 0: the score is not a number");
}

TEST_CASE("Numbers are listed in the order of pycocotools, under their names", "[coco_metrics]") {
  CHECK(coco_column_names() == std::vector<std::string>{"AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10",
                                                        "AR100", "ARs", "ARm", "ARl"});
  const CocoNumbers numbers = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  CHECK(list_of(numbers) == std::vector<double>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12});
  CHECK(numbers.ap_medium == 5);
  CHECK(numbers.ar_large == 12);
  CHECK(coco_numbers(list_of(numbers)) == numbers);
  CHECK(coco_numbers({0.5, 0.25}) == CocoNumbers{0.5, 0.25, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1});
}

TEST_CASE("The table reads as that of pycocotools", "[coco_metrics]") {
  CocoMetrics metrics;
  metrics.columns = coco_columns({});
  metrics.values = {.3644, .5576, .3846, .1936, .4002, .4834, .3121, .5008, .54, .3364, .587, -1};
  CHECK(format_coco_metrics(metrics) ==
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.364\n"
        " Average Precision  (AP) @[ IoU=0.50      | area=   all | maxDets=100 ] = 0.558\n"
        " Average Precision  (AP) @[ IoU=0.75      | area=   all | maxDets=100 ] = 0.385\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.194\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.400\n"
        " Average Precision  (AP) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = 0.483\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=  1 ] = 0.312\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets= 10 ] = 0.501\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=   all | maxDets=100 ] = 0.540\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= small | maxDets=100 ] = 0.336\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area=medium | maxDets=100 ] = 0.587\n"
        " Average Recall     (AR) @[ IoU=0.50:0.95 | area= large | maxDets=100 ] = -1.000\n");
}

/// Compares one case with the reference; `key` of the expected numbers names the check that failed.
void check_case(const fs::path& folder) {
  const Dataset truth = read_coco((folder / "gt.json").string(), {});
  std::vector<std::string> warnings;
  const std::vector<Detection> detections = read_coco_results((folder / "dt.json").string(), truth, warnings);
  const CocoMetrics metrics = coco_metrics(truth, detections);
  nlohmann::json expected;
  std::ifstream(folder / "expected.json") >> expected;

  const auto check = [](const std::string& key, double actual, double wanted) {
    INFO(key << ": " << actual << " instead of " << wanted);
    CHECK(std::fabs(actual - wanted) <= kTolerance);
  };
  const auto check_all = [&check](const std::string& key, const auto& actual, const std::vector<double>& wanted) {
    REQUIRE(actual.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) check(key + "[" + std::to_string(i) + "]", actual[i], wanted[i]);
  };
  check_all("stats", list_of(metrics.stats), expected.at("stats"));
  REQUIRE(metrics.per_category.size() == expected.at("per_category").size());
  for (const CategoryMetrics& category : metrics.per_category) {
    INFO("category " << category.id);
    const nlohmann::json& wanted = expected.at("per_category").at(std::to_string(category.id));
    for (const CocoNumber& column : kCocoNumbers) {
      if (wanted.contains(column.name)) check(column.name, category.stats.*column.value, wanted.at(column.name));
    }
    CHECK(category.stats.ap50 == category.ap_per_iou[0]);
    CHECK(category.stats.ap75 == category.ap_per_iou[5]);
    check_all("AP_per_iou", category.ap_per_iou, wanted.at("AP_per_iou"));
    check_all("recall100_per_iou", category.recall_per_iou, wanted.at("recall100_per_iou"));
  }
}

TEST_CASE("Curves are those of pycocotools", "[coco_metrics]") {
  const nlohmann::json golden = test::golden_cases().at("mixed");
  const test::GoldenCase c = test::read_golden_case(golden);
  const CocoMatches matches = match_coco(c.truth, c.detections);
  for (std::size_t k = 0; k < matches.categories.size(); ++k) {
    const std::vector<PrecisionCurve> curves = precision_curves(matches.categories[k], matches.settings, kAll, 100);
    for (const int t : {0, 5}) {
      const PrecisionCurve& curve = curves[t];
      const nlohmann::json& expected =
          golden.at("curves").at(std::to_string(c.truth.categories[k].id)).at(std::to_string(t));
      for (int r = 0; r < kRecalls; ++r) {
        INFO("category " << k << ", threshold " << t << ", recall " << kRecallPoints[r]);
        CHECK(std::fabs(curve.precision[r] - expected.at(0).at(r).get<double>()) <= kTolerance);
        CHECK(curve.score[r] == expected.at(1).at(r).get<double>());
      }
    }
  }
}

TEST_CASE("Curves without objects or detections are zero", "[coco_metrics]") {
  const Dataset truth = make_dataset({1}, {1, 2}, {{1, 1, 1, {0, 0, 20, 20}, 400}});
  const CocoMatches matches = match_coco(truth, {{1, 2, {0, 0, 20, 20}, .5}});
  for (const CategoryMatches& category : matches.categories) {
    for (const PrecisionCurve& curve : precision_curves(category, matches.settings, kAll, 100)) {
      CHECK(curve.precision == std::array<double, kRecalls>{});
      CHECK(curve.score == std::array<double, kRecalls>{});
    }
  }
}

TEST_CASE("All evaluation cases agree with pycocotools", "[coco_metrics]") {
  if (test::test_data_folder().empty()) return test::skip("DIOPTER_TEST_DATA is not set");
  std::size_t cases = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(test::test_data_folder() + "/eval_cases/coco")) {
    if (!entry.is_directory()) continue;
    INFO(entry.path().filename().string());
    check_case(entry.path());
    ++cases;
  }
  CHECK(cases >= 46);
}

TEST_CASE("The numbers do not depend on the number of threads", "[coco_metrics]") {
  const auto [truth, detections] = test::make_scene(20, 7, 300);
  const int threads = thread_count();
  set_thread_count(1);
  const CocoMetrics one = coco_metrics(truth, detections);
  set_thread_count(4);
  const CocoMetrics four = coco_metrics(truth, detections);
  set_thread_count(threads);
  CHECK(one.stats == four.stats);
  CHECK(one.stats.ap > 0.1);
}

}  // namespace
}  // namespace diopter
