#include "data/metrics/calibration.h"

#include <cmath>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/philox.h"
#include "tests/data/make_dataset.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// One picture per detection: a hit, or a false positive.
CocoMatches scored(const std::vector<ScoredDetection>& detections) {
  std::vector<std::int64_t> images;
  std::vector<Truth> truths;
  std::vector<Detection> found;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const auto id = static_cast<std::int64_t>(i) + 1;
    images.push_back(id);
    truths.push_back({id, id, 1, {0, 0, 20, 20}, 400});
    found.push_back({id, 1, detections[i].hit ? Rect{0, 0, 20, 20} : Rect{50, 50, 20, 20}, detections[i].score});
  }
  return match_coco(make_dataset(images, {1}, truths), found);
}

/// Cross-entropy of the detections at a temperature.
double cross_entropy(const CocoMatches& matches, double temperature) {
  double sum = 0;
  for (const CategoryMatches& category : matches.categories) {
    for (const ScoredDetection& d : counted_detections(category, matches.settings.threshold(0.5))) {
      const double p = 1 / (1 + std::exp(-std::log(d.score / (1 - d.score)) / temperature));
      sum -= std::log(d.hit ? p : 1 - p);
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("calibration by hand", "[calibration]") {
  const Calibration c = calibration(
      scored({{0.95, true}, {0.91, true}, {0.93, false}, {0.25, false}, {0.21, true}, {0.3, false}, {1, true}}));
  REQUIRE(c.detections == 7);
  REQUIRE(c.bins[9].detections == 4);  // 1 among them
  REQUIRE(c.bins[9].mean_score == Approx((0.95 + 0.91 + 0.93 + 1) / 4));
  REQUIRE(c.bins[9].precision == 0.75);
  REQUIRE(c.bins[2].detections == 2);
  REQUIRE(c.bins[2].precision == 0.5);
  REQUIRE(c.bins[3].detections == 1);  // the ends of bins belong to the upper one
  REQUIRE(c.bins[3].low == 0.3);
  REQUIRE(c.bins[5].detections == 0);
  const double error = 4.0 / 7 * (0.9475 - 0.75) + 2.0 / 7 * (0.5 - 0.23) + 1.0 / 7 * 0.3;
  REQUIRE(std::fabs(c.ece - error) < 1e-12);
}

TEST_CASE("the temperature is that of least cross-entropy", "[calibration]") {
  for (std::uint64_t seed = 0; seed < 4; ++seed) {
    // Right more often where scores are higher, but not as they say.
    Philox random(seed, 0);
    std::vector<ScoredDetection> detections;
    for (int i = 0; i < 300; ++i) {
      const double score = 0.02 + 0.96 * static_cast<double>(random.uniform());
      detections.push_back({score, static_cast<double>(random.uniform()) < 0.2 + 0.5 * score});
    }
    const CocoMatches matches = scored(detections);
    const Calibration c = calibration(matches);
    INFO("seed " << seed << " temperature " << c.temperature);
    REQUIRE(c.temperature < 100);
    const double least = cross_entropy(matches, c.temperature);
    for (const double factor : {0.5, 0.9, 0.999, 1.001, 1.1, 2.0}) {
      REQUIRE(cross_entropy(matches, factor * c.temperature) >= least);
    }
  }
}

TEST_CASE("scores that are too sure get a temperature above 1", "[calibration]") {
  std::vector<ScoredDetection> sure;
  // Right in 73.1 % of the cases, sigmoid(1), with scores of sigmoid(3): T = 3.
  for (int i = 0; i < 1000; ++i) sure.push_back({1 / (1 + std::exp(-3.0)), i < 731});
  const Calibration c = calibration(scored(sure));
  REQUIRE(c.temperature == Approx(3).epsilon(1e-3));
  REQUIRE(c.ece == Approx(1 / (1 + std::exp(-3.0)) - 0.731));
  REQUIRE(c.ece_at_temperature < 1e-9);
}

TEST_CASE("calibration without detections, and of what it cannot be computed", "[calibration]") {
  const Calibration none = calibration(scored({}));
  REQUIRE(none.detections == 0);
  REQUIRE(none.ece == 0);
  REQUIRE(none.temperature == 1);
  REQUIRE(error_of([] { calibration(scored({{1.5, true}})); }) == "calibration needs scores from 0 to 1, one is 1.5");
  REQUIRE(error_of([] {
            calibration(scored({{0.5, true}}), 0.42);
          }) == "calibration needs the IoU threshold 0.42 among those of --iou");
}
