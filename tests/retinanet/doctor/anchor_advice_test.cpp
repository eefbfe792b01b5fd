#include "retinanet/doctor/anchor_advice.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"

#include <algorithm>

#include "retinanet/doctor/anchor_coverage.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

namespace {

Dataset set_of(int width, int height, float shortest, float longest, float ratio) {
  Dataset dataset;
  dataset.categories = {{1, "thing"}};
  dataset.images = {annotated("a", width, height, random_rects(150, width, height, shortest, longest, ratio, 5))};
  return dataset;
}

double coverage_of(const Config& config, const Dataset& dataset) {
  return anchor_coverage(config, dataset).all.foreground_share();
}

/// Each piece of advice reaches what it says, the later ones more, the last one `enough`.
void require_good(const std::vector<AnchorAdvice>& advice, const Config& config, const Dataset& dataset,
                  double enough) {
  REQUIRE_FALSE(advice.empty());
  double reached = coverage_of(config, dataset);
  for (const AnchorAdvice& a : advice) {
    Config changed = config;
    for (const std::string& setting : a.settings) {
      INFO(setting);
      set_config(changed, setting);
    }
    check_config(changed);
    REQUIRE(coverage_of(changed, dataset) == a.coverage);
    REQUIRE(a.coverage > reached);
    reached = a.coverage;
  }
  REQUIRE(reached >= enough);
}

bool changes(const AnchorAdvice& advice, const std::string& key) {
  for (const std::string& setting : advice.settings) {
    if (setting.starts_with(key + "=")) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("there is no advice where the anchors fit") {
  REQUIRE(advise_anchors(preset("small"), set_of(160, 160, 14, 60, 1)).empty());
}

TEST_CASE("boxes that are all smaller than the anchors get smaller anchors") {
  const Dataset dataset = set_of(160, 160, 6, 9, 1);
  const Config config = preset("small");
  REQUIRE(coverage_of(config, dataset) < 0.5);
  const std::vector<AnchorAdvice> advice = advise_anchors(config, dataset);
  require_good(advice, config, dataset, 0.9);
  REQUIRE(changes(advice[0], "anchors.size_factor"));
  REQUIRE(advice[0].anchors == 1);
}

TEST_CASE("long thin boxes get ratios of their own") {
  const Dataset dataset = set_of(160, 160, 40, 90, 0.15f);
  const Config config = preset("small");
  REQUIRE(coverage_of(config, dataset) < 0.5);
  const std::vector<AnchorAdvice> advice = advise_anchors(config, dataset);
  require_good(advice, config, dataset, 0.9);
  REQUIRE(changes(advice[0], "anchors.ratios"));
}

TEST_CASE("boxes that vanish in small inputs get a finer level or a larger input") {
  const Dataset dataset = set_of(640, 480, 12, 20, 1);  // 3 to 5 pixels at the input
  const Config config = preset("small");
  REQUIRE(coverage_of(config, dataset) == 0);
  const std::vector<AnchorAdvice> advice = advise_anchors(config, dataset);
  require_good(advice, config, dataset, 0.9);
  REQUIRE(changes(advice.back(), "input.max_size"));
  REQUIRE(advice.back().anchors > 2);

  Config coarse = config;
  for (const char* setting : {"input.max_size=640", "model.min_level=4", "model.max_level=6"}) {
    set_config(coarse, setting);
  }
  const std::vector<AnchorAdvice> finer = advise_anchors(coarse, dataset);
  require_good(finer, coarse, dataset, 0.7);
  REQUIRE(std::any_of(finer.begin(), finer.end(), [](const AnchorAdvice& a) { return changes(a, "model.min_level"); }));
}

TEST_CASE("pictures are enlarged only where that is needed") {
  Config config = preset("small");
  const Dataset small_pictures = set_of(64, 64, 3, 5, 1);
  const std::vector<AnchorAdvice> advice = advise_anchors(config, small_pictures);
  require_good(advice, config, small_pictures, 0.1);
  REQUIRE(changes(advice.back(), "input.enlarge"));
  REQUIRE_FALSE(changes(advise_anchors(config, set_of(640, 480, 12, 20, 1)).back(), "input.enlarge"));
}
