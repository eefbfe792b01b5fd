#include "data/metrics/operating_point.h"

#include <algorithm>
#include <set>

#include "kernels/base/check.h"
#include "tests/data/make_dataset.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// Tries every score that a detection has. `category` -1: all.
std::optional<OperatingPoint> brute_force(const CocoMatches& matches, int category, double iou) {
  const int t = matches.settings.threshold(iou);
  std::set<double> scores;
  for (const CategoryMatches& c : matches.categories) {
    for (const Outcome& outcome : c.outcomes) scores.insert(outcome.score);
  }
  std::optional<OperatingPoint> best;
  for (auto score = scores.rbegin(); score != scores.rend(); ++score) {
    double hits = 0, taken = 0, objects = 0;
    for (std::size_t k = 0; k < matches.categories.size(); ++k) {
      if (category >= 0 && static_cast<int>(k) != category) continue;
      const CategoryMatches& c = matches.categories[k];
      objects += static_cast<double>(c.total[kAll]);
      for (std::size_t i = 0; i < c.outcomes.size(); ++i) {
        if (c.outcomes[i].score < *score || c.verdict(i, kAll).is_ignored(t)) continue;
        taken += 1;
        hits += c.verdict(i, kAll).hit(t);
      }
    }
    const double precision = hits / taken, recall = hits / objects;
    if (hits == 0) continue;
    const double f1 = 2 * precision * recall / (precision + recall);
    if (!best || f1 > best->f1 + 1e-12) best = {*score, f1, precision, recall};
  }
  return best;
}

void require_equal(const std::optional<OperatingPoint>& actual, const std::optional<OperatingPoint>& expected) {
  REQUIRE(actual.has_value() == expected.has_value());
  if (!actual) return;
  REQUIRE(actual->score == expected->score);
  REQUIRE(actual->f1 == Approx(expected->f1).epsilon(1e-12));
  REQUIRE(actual->precision == Approx(expected->precision).epsilon(1e-12));
  REQUIRE(actual->recall == Approx(expected->recall).epsilon(1e-12));
}

}  // namespace

TEST_CASE("the operating points are those of a search over all scores", "[operating_point]") {
  for (int seed = 0; seed < 8; ++seed) {
    Scene scene = make_scene(12 + seed, 1 + seed % 4, 200);
    // Scores that many share.
    for (Detection& d : scene.detections) {
      if (seed % 2 == 1) d.score = static_cast<double>(static_cast<int>(d.score * 10)) / 10;
    }
    const CocoMatches matches = match_coco(scene.truth, scene.detections);
    for (const double iou : {0.5, 0.75}) {
      const OperatingPoints points = best_operating_points(matches, iou);
      REQUIRE(points.iou == iou);
      require_equal(points.all, brute_force(matches, -1, iou));
      REQUIRE(points.categories.size() == matches.categories.size());
      for (std::size_t k = 0; k < points.categories.size(); ++k) {
        INFO("seed " << seed << " category " << k << " iou " << iou);
        require_equal(points.categories[k], brute_force(matches, static_cast<int>(k), iou));
      }
    }
  }
}

TEST_CASE("an operating point by hand", "[operating_point]") {
  const Rect box = {0, 0, 20, 20}, other = {50, 0, 20, 20}, nothing = {100, 100, 20, 20}, crowd = {0, 100, 50, 50};
  const Dataset truth =
      make_dataset({1}, {1, 2}, {{1, 1, 1, box, 400}, {2, 1, 1, other, 400}, {3, 1, 1, crowd, 2500, true}});
  // Down to .6: one of two, 2 / (1 + 2). Down to .4: two of three, 4 / (3 + 2). The one in the crowd does not count.
  const OperatingPoints points = best_operating_points(match_coco(
      truth,
      {{1, 1, box, 0.6}, {1, 1, nothing, 0.5}, {1, 1, other, 0.4}, {1, 1, nothing, 0.3}, {1, 1, {5, 105, 9, 9}, 0.9}}));
  REQUIRE(points.categories.at(0)->score == 0.4);
  REQUIRE(points.categories[0]->f1 == Approx(0.8));
  REQUIRE(points.categories[0]->precision == Approx(2.0 / 3));
  REQUIRE(points.categories[0]->recall == 1);
  REQUIRE(!points.categories.at(1));  // neither objects nor detections
  // 2 / (1 + 2) down to .9, and 4 / (4 + 2) down to .2: of equal points that with the highest score.
  const OperatingPoints equal = best_operating_points(
      match_coco(truth, {{1, 1, box, 0.9}, {1, 1, nothing, 0.8}, {1, 1, {70, 70, 9, 9}, 0.5}, {1, 1, other, 0.2}}));
  REQUIRE(equal.categories.at(0)->score == 0.9);
  REQUIRE(error_of([&] { best_operating_points(match_coco(truth, {}), 0.42); }) ==
          "operating points need the IoU threshold 0.42 among those of --iou");
}

TEST_CASE("the best score of a category without a hit is that of all", "[operating_point]") {
  OperatingPoints points;
  points.categories = {OperatingPoint{0.3, 1, 1, 1}, std::nullopt};
  REQUIRE(best_scores(points).empty());
  points.all = OperatingPoint{0.4, 1, 1, 1};
  REQUIRE(best_scores(points) == std::vector<double>{0.3, 0.4});
}
