#include "retinanet/doctor/doctor.h"
#include "retinanet/config/presets.h"

#include "kernels/base/check.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

namespace {

DoctorOptions without_pictures() {
  DoctorOptions options;
  options.open_pictures = false;
  return options;
}

Dataset healthy() {
  Dataset dataset;
  dataset.categories = {{1, "cat"}};
  for (int i = 0; i < 6; ++i) {
    dataset.images.push_back(annotated(std::to_string(i), 64, 64, random_rects(2, 64, 64, 14, 20, 1, i)));
  }
  return dataset;
}

bool warns(const DoctorReport& report, const std::string& of) {
  for (const std::string& warning : report.warnings) {
    if (warning.find(of) != std::string::npos) return true;
  }
  return false;
}

std::string refusal(const Dataset& dataset) {
  try {
    examine(dataset, preset("small"), without_pictures());
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a healthy set gives no warnings") {
  const DoctorReport report = examine(healthy(), preset("small"), without_pictures());
  INFO((report.warnings.empty() ? "" : report.warnings[0]));
  REQUIRE(report.warnings.empty());
  REQUIRE(report.advice.empty());
  REQUIRE(report.data.objects == 12);
}

TEST_CASE("what is wrong becomes a warning") {
  Dataset dataset = healthy();
  dataset.categories.push_back({2, "unicorn"});
  dataset.categories.push_back({3, "rare"});
  dataset.warnings = {"file: box dropped"};
  dataset.images.push_back(annotated("many", 64, 64, random_rects(20, 64, 64, 2.5f, 3.5f, 1, 9)));
  dataset.images.back().annotations.push_back({50, 2, {20, 20, 16, 16}, 256});
  dataset.images.push_back(annotated("unknown", 0, 0, {}));
  for (int i = 0; i < 9; ++i) dataset.images.push_back(annotated("empty", 64, 64, {}));
  Config config = preset("small");
  config.match.low_quality = false;
  config.model.prior.values = {0.5};
  config.loss.normaliser = LossNormaliser::image;
  DoctorOptions options = without_pictures();
  options.system_memory = 1 << 20;
  const DoctorReport report = examine(dataset, config, options);
  for (const std::string& warning : report.warnings) UNSCOPED_INFO(warning);
  REQUIRE(warns(report, "file: box dropped"));
  REQUIRE(warns(report, "annotations do not say their size: 1 (unknown.png)"));
  REQUIRE(warns(report, "1 class has no objects: it cannot be learned: 'unicorn'"));
  REQUIRE(warns(report, "classes are uneven: 32 objects of 'cat', 1 of 'rare'"));
  REQUIRE(warns(report, "of the pictures have no objects"));
  REQUIRE(warns(report, "smaller at the network's input than its finest stride"));
  REQUIRE(warns(report, "have an anchor with IoU >= 0.5"));
  REQUIRE(warns(report, "objects get no anchor at all and are not learned (match.low_quality = true"));
  REQUIRE(warns(report, "this machine has 1 MiB"));
}

TEST_CASE("nothing to train on is an error") {
  Dataset dataset = healthy();
  dataset.categories.clear();
  REQUIRE(refusal(dataset) == "the data set has no classes");
  dataset = healthy();
  dataset.images.clear();
  REQUIRE(refusal(dataset) == "the data set has no pictures");
  dataset.images = {annotated("a", 0, 0, {{1, 1, 20, 20}})};
  REQUIRE(refusal(dataset) == "none of the pictures can be used; the first: a.png: its size is not known");
  dataset.images = {annotated("a", 64, 64, {{1, 1, 0, 20}, {5, 5, 20, 20}})};
  dataset.images[0].annotations[1].crowd = true;
  REQUIRE(refusal(dataset).starts_with("there is no object to learn from: of 2 boxes 1 are crowd or difficult and 1 "));
}
