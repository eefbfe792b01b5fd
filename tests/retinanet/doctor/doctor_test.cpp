#include "retinanet/doctor/doctor.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"

#include "kernels/base/check.h"
#include "tests/retinanet/annotated.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

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
  REQUIRE(warns(report, "56.2 % of the pictures have no objects"));  // 9 of 16
  REQUIRE(warns(report, "smaller at the network's input than its finest stride"));
  REQUIRE(warns(report, "have an anchor with IoU >= 0.5"));
  REQUIRE(warns(report, "objects get no anchor at all and are not learned (match.low_quality = true"));
  REQUIRE(warns(report, "this machine has 1 MiB"));
}

TEST_CASE("warnings come by weight: the whole run, what it costs, classes, notes") {
  Dataset dataset = healthy();  // twelve objects in six pictures
  for (int i = 2; i < 1002; ++i) dataset.categories.push_back({i, "c" + std::to_string(i)});
  dataset.images[0].annotations[0].rect = {50, 50, 20, 20};  // across the border
  dataset.findings = {{.kind = "a", .text = "", .dropped = true, .count = 4, .places = {}, .line = "dropped few"},
                      {.kind = "b", .text = "", .dropped = false, .count = 9, .places = {}, .line = "noted"},
                      {.kind = "c", .text = "", .dropped = true, .count = 90, .places = {}, .line = "dropped many"}};
  dataset.warnings = {"dropped few", "noted", "dropped many"};
  DoctorOptions options = without_pictures();
  options.system_memory = 1 << 20;
  const DoctorReport report = examine(dataset, preset("small"), options);
  std::vector<std::string> beginnings;
  for (const std::string& warning : report.warnings) beginnings.push_back(warning.substr(0, 12));
  CHECK(beginnings == std::vector<std::string>{"a training s", "dropped many", "dropped few", "1000 classes",
                                               "boxes across", "noted"});
}

TEST_CASE("a learning rate of SGD's with AdamW is warned of") {
  const auto warned = [](const char* optimizer, const char* lr) {
    Config config = preset("small");
    apply_settings(config,
                   parse_settings({std::string("train.optimizer=") + optimizer, std::string("train.lr=") + lr}));
    return warns(examine(healthy(), config, without_pictures()), "train.lr = 0.1 is a rate for SGD");
  };
  CHECK(warned("adamw", "0.1"));
  CHECK_FALSE(warned("adamw", "0.02"));
  CHECK_FALSE(warned("sgd", "0.1"));
}

TEST_CASE("a run that sees the same pictures again and again is warned of") {
  Config config = preset("small_sgd");
  config.train.batch_size = 3;
  config.train.accumulate = 2;
  const auto warned = [&](std::int64_t iterations, const char* setting = "train.seed=1") {
    Config run = config;
    run.train.iterations = iterations;
    apply_settings(run, parse_settings({setting}));
    return warns(examine(healthy(), run, without_pictures()), "the run sees each picture 31 times, always");
  };
  CHECK(warned(31));
  CHECK_FALSE(warned(30));
  for (const char* change :
       {"augment.scale_min=0.9", "augment.scale_max=1.1", "augment.crop=0.1", "augment.hue=0.1",
        "augment.brightness=0.1", "augment.contrast=0.1", "augment.saturation=0.1", "input.min_sizes=[128, 160]"}) {
    CHECK_FALSE(warned(31, change));
  }
  CHECK(warned(31, "augment.turn=0.5"));
}

TEST_CASE("a crowded set gets the settings that it needs") {
  Dataset dataset = healthy();
  Config config = preset("small");
  config.detect.max_detections = 100;
  dataset.images[2].annotations.clear();
  for (int i = 0; i < 230; ++i) {
    dataset.images[2].annotations.push_back({1000 + i, 0, {i % 16 * 3.0, i / 16 * 3.0, 15, 15}, 225});
  }
  const DoctorReport report = examine(dataset, config, without_pictures());
  for (const std::string& warning : report.warnings) UNSCOPED_INFO(warning);
  CHECK(warns(report, "limits the recall (--set detect.max_detections=300): 1 (2.png with 230)"));
  CHECK(warns(report,
              "a picture has 230 objects; COCO's metrics count 100 detections of a class in a picture "
              "(diopter evaluate --max-detections 1,10,300)"));
}

TEST_CASE("the size at which objects reach the network") {
  const auto input = [](int max_size, bool enlarge) {
    Config config = preset("small");
    config.input.min_sizes = {max_size};
    config.input.max_size = max_size;
    config.input.enlarge = enlarge;
    Dataset dataset = healthy();
    dataset.images = {annotated("a", 1920, 1080, {{100, 100, 40, 40}, {300, 100, 60, 60}, {500, 100, 56, 56}})};
    return describe_input(lint(dataset, config));
  };
  CHECK(input(160, false) == "1920 x 1080 shrunk to 160 x 90: median object 4.7 px");
  CHECK(input(1920, false) == "1920 x 1080 kept: median object 56.0 px");
  CHECK(input(3840, true) == "1920 x 1080 enlarged to 3840 x 2160: median object 112.0 px");
}

TEST_CASE("a quick examination opens headers and rehearses nothing") {
  DoctorOptions options;
  options.look = Look::header;
  options.rehearse = false;
  Dataset dataset = healthy();
  CHECK(test::contains(test::error_of([&] { examine(dataset, preset("small"), options); }),
                       "none of the pictures can be used; the first: "));
  options.open_pictures = false;
  Config poor = preset("small");
  poor.anchors.size_factor = 40;
  const DoctorReport report = examine(dataset, poor, options);
  CHECK(report.advice.empty());
  CHECK(report.loss.pictures == 0);
  CHECK(report.memory.parameters == 0);
  CHECK(warns(report, "have an anchor with IoU >= 0.5; diopter doctor looks for settings that fit"));
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
