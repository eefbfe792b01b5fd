#include "data/metrics/voc_metrics.h"

#include <cmath>
#include <fstream>
#include <limits>
#include <map>

#include "kernels/base/check.h"
#include "kernels/base/json.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

struct VocTruth {
  std::int64_t image;
  int category;
  Rect rect;
  bool difficult = false;
};

/// `images` images and categories with ids 1, 2, ....
Dataset make_dataset(int images, int categories, const std::vector<VocTruth>& truths) {
  Dataset dataset;
  for (int k = 1; k <= categories; ++k) dataset.categories.push_back({.id = k, .name = "c" + std::to_string(k)});
  for (int i = 1; i <= images; ++i) dataset.images.push_back({.id = i, .file = "", .name = "", .annotations = {}});
  for (const VocTruth& truth : truths) {
    dataset.images.at(truth.image - 1)
        .annotations.push_back({.id = 1,
                                .category = truth.category,
                                .rect = truth.rect,
                                .area = truth.rect.w * truth.rect.h,
                                .difficult = truth.difficult});
  }
  return dataset;
}

const Rect kA = {0, 0, 20, 20}, kB = {100, 0, 20, 20}, kC = {200, 0, 20, 20}, kFar = {500, 500, 20, 20};

TEST_CASE("Hits, a double detection, a difficult object and a miss", "[voc_metrics]") {
  const Dataset truth = make_dataset(2, 1, {{1, 0, kA}, {2, 0, kB}, {1, 0, kC, true}});
  // (recall, precision) after each: (1/2, 1), double (1/2, 1/2), difficult: none, (1, 2/3), (1, 1/2).
  const std::vector<Detection> detections = {
      {2, 1, kFar, .5}, {2, 1, kB, .6}, {1, 1, kA, .8}, {1, 1, kC, .7}, {1, 1, kA, .9}};
  const VocMetrics whole = voc_metrics(truth, detections, {});
  REQUIRE(whole.per_category.size() == 1);
  CHECK(whole.per_category[0].id == 1);
  CHECK(whole.per_category[0].name == "c1");
  CHECK(whole.per_category[0].objects == 2);
  CHECK(whole.per_category[0].ap == Approx(0.5 * 1 + 0.5 * 2 / 3));
  CHECK(whole.mean_ap == whole.per_category[0].ap);
  CHECK(voc_metrics(truth, detections, {.eleven_point = true}).mean_ap == Approx((6 * 1 + 5 * 2.0 / 3) / 11));
}

TEST_CASE("A detection takes its best object only, the first of equals, even when taken", "[voc_metrics]") {
  // Both detections overlap the first object best (on a tie for the second): the other object stays unfound.
  const Dataset truth = make_dataset(1, 1, {{1, 0, {0, 0, 20, 20}}, {1, 0, {4, 0, 20, 20}}});
  const std::vector<Detection> detections = {{1, 1, {1, 0, 20, 20}, .9}, {1, 1, {2, 0, 20, 20}, .8}};
  CHECK(voc_metrics(truth, detections, {}).mean_ap == Approx(0.5));
}

TEST_CASE("The threshold and the extra pixel", "[voc_metrics]") {
  const Dataset truth = make_dataset(1, 1, {{1, 0, {0, 0, 10, 10}}});
  const std::vector<Detection> half = {{1, 1, {0, 0, 10, 5}, .9}};  // IoU 1/2, or 66/121 with the pixel
  CHECK(voc_metrics(truth, half, {.plus_one = false, .strict = true}).mean_ap == 0);
  CHECK(voc_metrics(truth, half, {.plus_one = false, .strict = false}).mean_ap == 1);
  CHECK(voc_metrics(truth, half, {.plus_one = true, .strict = true}).mean_ap == 1);
  CHECK(voc_metrics(truth, half, {.iou_threshold = 0.55}).mean_ap == 0);
}

TEST_CASE("Equal scores keep their order", "[voc_metrics]") {
  const Dataset truth = make_dataset(1, 1, {{1, 0, kA}});
  CHECK(voc_metrics(truth, {{1, 1, kA, .5}, {1, 1, kFar, .5}}, {}).mean_ap == 1);
  CHECK(voc_metrics(truth, {{1, 1, kFar, .5}, {1, 1, kA, .5}}, {}).mean_ap == 0.5);
}

TEST_CASE("The mean is over categories with objects that count", "[voc_metrics]") {
  const Dataset truth = make_dataset(1, 4, {{1, 0, kA}, {1, 1, kB}, {1, 2, kC, true}});
  const VocMetrics metrics = voc_metrics(truth, {{1, 1, kA, .5}, {1, 3, kC, .5}, {1, 4, kA, .5}, {1, 99, kB, .5}}, {});
  CHECK(metrics.per_category[0].ap == 1);
  CHECK(metrics.per_category[1].ap == 0);
  CHECK(metrics.per_category[2].ap == -1);
  CHECK(metrics.per_category[2].objects == 0);
  CHECK(metrics.per_category[3].ap == -1);
  CHECK(metrics.mean_ap == 0.5);
  CHECK(voc_metrics(make_dataset(1, 1, {}), {{1, 1, kA, .5}}, {}).mean_ap == -1);
}

TEST_CASE("Crowds are treated as difficult", "[voc_metrics]") {
  Dataset truth = make_dataset(1, 1, {{1, 0, kA}, {1, 0, kB}});
  truth.images[0].annotations[1].crowd = true;
  CHECK(voc_metrics(truth, {{1, 1, kB, .9}, {1, 1, kA, .5}}, {}).mean_ap == 1);
}

TEST_CASE("Detections that cannot be ranked or placed are refused", "[voc_metrics]") {
  const Dataset truth = make_dataset(1, 1, {{1, 0, kA}});
  REQUIRE_THROWS_WITH(voc_metrics(truth, {{2, 1, kA, .5}}, {}), "detection 0: the ground truth has no image with id 2");
  REQUIRE_THROWS_WITH(voc_metrics(truth, {{1, 1, kA, std::numeric_limits<double>::quiet_NaN()}}, {}),
                      "detection 0: the score is not a number");
}

struct VocCase {
  Dataset truth;
  std::vector<Detection> detections;
  nlohmann::json expected;
};

nlohmann::json read_json(const std::string& file) {
  nlohmann::json json;
  std::ifstream(file) >> json;
  return json;
}

/// Corners become corner and size; ids are given by first appearance.
VocCase read_case(const std::string& name) {
  const std::string folder = test::test_data_folder() + "/eval_cases/voc/" + name;
  const nlohmann::json truths = read_json(folder + "/gt.json"), detections = read_json(folder + "/dt.json");
  VocCase result = {.truth = {}, .detections = {}, .expected = read_json(folder + "/expected.json")};
  std::map<std::string, int> images, categories;
  for (const nlohmann::json* list : {&truths, &detections}) {
    for (const nlohmann::json& entry : *list) {
      if (images.emplace(entry.at("image"), images.size()).second) {
        result.truth.images.push_back(
            {.id = static_cast<int>(images.size()) - 1, .file = "", .name = "", .annotations = {}});
      }
      if (categories.emplace(entry.at("cls"), categories.size()).second) {
        result.truth.categories.push_back({.id = static_cast<int>(categories.size()) - 1, .name = entry.at("cls")});
      }
    }
  }
  const auto rect = [](const nlohmann::json& entry) -> Rect {
    const std::vector<double> c = entry.at("xyxy");
    return {c[0], c[1], c[2] - c[0], c[3] - c[1]};
  };
  for (const nlohmann::json& entry : truths) {
    result.truth.images[images[entry.at("image")]].annotations.push_back({.id = 1,
                                                                          .category = categories[entry.at("cls")],
                                                                          .rect = rect(entry),
                                                                          .area = 0,
                                                                          .difficult = entry.at("difficult") != 0});
  }
  for (const nlohmann::json& entry : detections) {
    result.detections.push_back(
        {images[entry.at("image")], categories[entry.at("cls")], rect(entry), entry.at("score")});
  }
  return result;
}

TEST_CASE("Padilla's seven images: the published AP at four thresholds", "[voc_metrics]") {
  if (test::test_data_folder().empty()) return test::skip("DIOPTER_TEST_DATA is not set");
  const VocCase c = read_case("padilla_7img");
  for (const bool eleven : {false, true}) {
    for (const auto& [threshold, ap] : c.expected.at("published_AP").at(eleven ? "11_point" : "every_point").items()) {
      INFO((eleven ? "11 point, IoU " : "every point, IoU ") << threshold);
      const VocOptions options = {.iou_threshold = std::stod(threshold), .eleven_point = eleven, .strict = false};
      CHECK(std::fabs(voc_metrics(c.truth, c.detections, options).mean_ap - ap.get<double>()) <
            1e-10);  // ten digits, cut off
    }
  }
}

TEST_CASE("Padilla's cats: the numbers of voc_eval", "[voc_metrics]") {
  if (test::test_data_folder().empty()) return test::skip("DIOPTER_TEST_DATA is not set");
  const VocCase c = read_case("padilla_toy_cats");
  for (const bool eleven : {false, true}) {
    for (const std::string threshold : {"0.5", "0.75"}) {
      const std::string key = (eleven ? "AP_11point@" : "AP_area@") + threshold;
      INFO(key);
      const VocMetrics metrics =
          voc_metrics(c.truth, c.detections, {.iou_threshold = std::stod(threshold), .eleven_point = eleven});
      const nlohmann::json& cat = c.expected.at("per_class").at("cat");
      REQUIRE(metrics.per_category.size() == 1);
      CHECK(metrics.per_category[0].objects == cat.at("npos"));
      CHECK(std::fabs(metrics.mean_ap - cat.at(key).get<double>()) <= 1e-12);
    }
  }
}

TEST_CASE("Cartucho's example: every category in percent with two digits", "[voc_metrics]") {
  if (test::test_data_folder().empty()) return test::skip("DIOPTER_TEST_DATA is not set");
  const VocCase c = read_case("cartucho_map");
  const VocMetrics metrics = voc_metrics(c.truth, c.detections, {.strict = false});
  constexpr double kHalfDigit = 0.005 + 1e-9;
  std::size_t counted = 0;
  for (const VocCategory& category : metrics.per_category) {
    if (category.objects == 0) continue;
    INFO(category.name);
    CHECK(std::fabs(100 * category.ap - c.expected.at("AP_percent_2_decimals").at(category.name).get<double>()) <=
          kHalfDigit);
    ++counted;
  }
  CHECK(counted == c.expected.at("AP_percent_2_decimals").size());
  CHECK(std::fabs(100 * metrics.mean_ap - c.expected.at("mAP_percent").get<double>()) <= kHalfDigit);
}

}  // namespace
}  // namespace diopter
