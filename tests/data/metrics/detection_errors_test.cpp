#include "data/metrics/detection_errors.h"

#include <cmath>
#include <fstream>

#include "kernels/base/json.h"
#include "kernels/base/parallel.h"
#include "tests/data/make_dataset.h"
#include "tests/data/metrics/golden_case.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

namespace {

DetectionErrors errors_of(const Dataset& truth, const std::vector<Detection>& detections) {
  return detection_errors(truth, detections, match_coco(truth, detections));
}

void check_breakdown(const ErrorBreakdown& actual, const nlohmann::json& expected) {
  const auto check = [&](const std::string& name, std::int64_t count, double gain) {
    INFO(name << ": " << count << " with gain " << gain << ", expected " << expected.at(name));
    CHECK(count == expected.at(name).at(0).get<std::int64_t>());
    CHECK(std::fabs(gain - expected.at(name).at(1).get<double>()) < 1e-12);
  };
  CHECK(std::fabs(actual.ap50 - expected.at("AP50").get<double>()) < 1e-12);
  for (int kind = 0; kind < kErrorKinds; ++kind) check(kErrorNames[kind], actual.count[kind], actual.gain[kind]);
  check("false_positives", actual.false_positives, actual.false_positive_gain);
  check("false_negatives", actual.false_negatives, actual.false_negative_gain);
}

}  // namespace

TEST_CASE("errors agree with the reference and with the program of TIDE's authors", "[detection_errors]") {
  const nlohmann::json cases = golden_cases();
  REQUIRE(cases.size() == 4);
  for (const auto& [name, golden] : cases.items()) {
    INFO(name);
    const GoldenCase c = read_golden_case(golden);
    const DetectionErrors errors = errors_of(c.truth, c.detections);
    check_breakdown(errors.all, golden.at("errors").at("all"));
    for (std::size_t k = 0; k < c.truth.categories.size(); ++k) {
      const std::string id = std::to_string(c.truth.categories[k].id);
      INFO("category " << id);
      check_breakdown(errors.per_category[k], golden.at("errors").at(id));
    }
  }
}

TEST_CASE("every kind of error is recognised", "[detection_errors]") {
  const Rect box = {0, 0, 20, 20}, shifted = {10, 0, 20, 20};  // their IoU is 1/3
  const Dataset truth = make_dataset({1}, {1, 2}, {{1, 1, 1, box, 400}, {2, 1, 2, {100, 100, 20, 20}, 400}});
  const auto kind_of = [&](const Detection& detection) {
    const DetectionErrors errors = errors_of(truth, {{1, 1, box, 0.9}, detection});
    REQUIRE(errors.all.false_positives == 1);
    for (int kind = 0; kind < kMissed; ++kind) {
      if (errors.all.count[kind] == 1) return kind;
    }
    return static_cast<int>(kErrorKinds);
  };
  CHECK(kind_of({1, 1, shifted, 0.5}) == kLocalisation);
  CHECK(kind_of({1, 2, box, 0.5}) == kConfusion);
  CHECK(kind_of({1, 2, shifted, 0.5}) == kBoth);
  CHECK(kind_of({1, 1, box, 0.5}) == kDuplicate);
  CHECK(kind_of({1, 1, {60, 0, 20, 20}, 0.5}) == kBackgroundError);
}

TEST_CASE("an error repairs the object that it claims only once", "[detection_errors]") {
  const Rect box = {0, 0, 20, 20};
  const Dataset truth = make_dataset({1}, {1, 2}, {{1, 1, 1, box, 400}, {2, 1, 2, {100, 0, 20, 20}, 400}});
  // Both upon the first object; the better one is of the wrong class, so repairing the other gives no hit.
  const DetectionErrors errors = errors_of(truth, {{1, 1, {10, 0, 20, 20}, 0.5}, {1, 2, box, 0.9}});
  CHECK(errors.all.count[kLocalisation] == 1);
  CHECK(errors.all.count[kConfusion] == 1);
  CHECK(errors.all.count[kMissed] == 1);
  CHECK(errors.all.false_negatives == 2);
  CHECK(errors.all.gain[kLocalisation] == 0);
  CHECK(errors.per_category[0].gain[kConfusion] == Approx(1));
  CHECK(errors.all.gain[kConfusion] == Approx(0.5));
}

TEST_CASE("AP50 of the breakdown is COCO's", "[detection_errors]") {
  const Scene scene = make_scene(20, 7, 300);
  const CocoMatches matches = match_coco(scene.truth, scene.detections);
  const CocoMetrics metrics = coco_metrics(scene.truth, matches);
  const DetectionErrors errors = detection_errors(scene.truth, scene.detections, matches);
  CHECK(errors.all.ap50 == Approx(metrics.stats.ap50).epsilon(1e-13));
  for (std::size_t k = 0; k < 7; ++k) {
    CHECK(errors.per_category[k].ap50 == Approx(metrics.per_category[k].ap_per_iou[0]).epsilon(1e-13));
  }
}

TEST_CASE("errors where there are no objects or no detections", "[detection_errors]") {
  const Dataset empty = make_dataset({1}, {1}, {}), object = make_dataset({1}, {1}, {{1, 1, 1, {0, 0, 20, 20}, 400}});
  const DetectionErrors nothing = errors_of(empty, {});
  CHECK(nothing.all.ap50 == -1);
  CHECK(nothing.all.false_positives + nothing.all.false_negatives == 0);
  const DetectionErrors no_objects = errors_of(empty, {{1, 1, {0, 0, 9, 9}, 0.5}});
  CHECK(no_objects.per_category[0].ap50 == -1);
  CHECK(no_objects.all.count[kBackgroundError] == 1);
  CHECK(no_objects.all.gain[kBackgroundError] == 0);
  const DetectionErrors not_found = errors_of(object, {});
  CHECK(not_found.all.ap50 == 0);
  CHECK(not_found.all.count[kMissed] == 1);
  CHECK(errors_of({}, {}).per_category.empty());
}

TEST_CASE("errors do not depend on the number of threads", "[detection_errors]") {
  const Scene scene = make_scene(200, 5, 900);
  const int threads = thread_count();
  set_thread_count(1);
  const DetectionErrors one = errors_of(scene.truth, scene.detections);
  set_thread_count(4);
  const DetectionErrors four = errors_of(scene.truth, scene.detections);
  set_thread_count(threads);
  CHECK(one.all.count == four.all.count);
  CHECK(one.all.gain == four.all.gain);
  CHECK(one.all.false_positives > 50);
}
