// The promise that calibration and operating points are those of an independent computation:
// tests/golden/calibration.py.
#include <cmath>
#include <string>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "kernels/base/philox.h"
#include "tests/tools/program.h"

using namespace diopter;
using namespace diopter::test;
using nlohmann::json;

namespace {

struct Scene {
  json truth, detections;
};

/// Objects of two classes, most of them found, with displaced, repeated and spurious detections; `crowds`: some objects
/// are crowds.
Scene make_scene(std::uint64_t seed, double sharpness, bool crowds) {
  Philox random(seed, 0);
  Scene scene;
  scene.truth["categories"] = {{{"id", 2}, {"name", "cat"}}, {{"id", 5}, {"name", "dog"}}};
  scene.truth["images"] = json::array();
  scene.truth["annotations"] = scene.detections = json::array();
  const auto number = [&](double low, double high) {
    return low + (high - low) * static_cast<double>(random.uniform());
  };
  const auto detect = [&](int image, int category, double x, double y, double side, double quality) {
    const double score = 1 / (1 + std::exp(-sharpness * (quality + number(-1, 1))));
    scene.detections.push_back(
        {{"image_id", image}, {"category_id", category}, {"bbox", {x, y, side, side}}, {"score", score}});
  };
  for (int image = 1; image <= 40; ++image) {
    scene.truth["images"].push_back(
        {{"id", image}, {"width", 200}, {"height", 200}, {"file_name", std::to_string(image) + ".png"}});
    for (int object = 0; object < 4; ++object) {
      const int category = random.below(2) ? 2 : 5;
      const double x = number(0, 140), y = number(0, 140), side = number(20, 60);
      const bool crowd = crowds && random.below(5) == 0;
      scene.truth["annotations"].push_back({{"id", scene.truth["annotations"].size() + 1},
                                            {"image_id", image},
                                            {"category_id", category},
                                            {"bbox", {x, y, side, side}},
                                            {"area", side * side},
                                            {"iscrowd", crowd ? 1 : 0}});
      if (random.below(5) > 0) detect(image, category, x + number(-6, 6), y + number(-6, 6), side, 0.6);
      if (random.below(3) == 0) detect(image, category, x + number(-9, 9), y, side, -0.2);
      if (random.below(2) == 0) detect(image, category, number(0, 140), number(0, 140), number(20, 60), -0.5);
    }
  }
  return scene;
}

}  // namespace

TEST_CASE("calibration and operating points equal the NumPy reference") {
  if (run_shell("python3 -c 'import numpy'").exit_code != 0) return skip("no python3 with NumPy");
  const Scene scenes[] = {make_scene(1, 1, false), make_scene(2, 4, false), make_scene(3, 2, true)};
  for (const Scene& scene : scenes) {
    const TemporaryFolder folder;
    const std::string truth = folder.write("truth.json", json_text(scene.truth)),
                      detections = folder.write("detections.json", json_text(scene.detections));
    const Outcome ours =
        run_diopter("evaluate --annotations '" + truth + "' --detections '" + detections + "' --calibration --json '" +
                    (folder / "ours.json") + "' --thresholds '" + (folder / "thresholds.json") + "'");
    INFO(ours.err);
    REQUIRE(ours.exit_code == 0);
    const Outcome theirs = run_shell("python3 -B '" DIOPTER_SOURCE_DIR "/tests/golden/calibration.py' '" + truth +
                                     "' '" + detections + "'");
    INFO(theirs.err);
    REQUIRE(theirs.exit_code == 0);
    const json reference = parse_json(theirs.out);
    const auto same = [&](const json& a, const json& b) {
      INFO(json_text(a) << " against " << json_text(b));
      CHECK(std::fabs(a.get<double>() - b.get<double>()) < 1e-9);
    };
    const json calibration = parse_json(read_bytes(folder / "ours.json")).at("calibration");
    for (const char* key : {"ECE", "temperature", "ECE_at_temperature"}) same(calibration.at(key), reference.at(key));
    const json thresholds = parse_json(read_bytes(folder / "thresholds.json"));
    for (const char* key : {"score", "F1"}) {
      same(thresholds.at("all").at(key), reference.at("all").at(key));
      for (const char* name : {"cat", "dog"}) {
        same(thresholds.at("classes").at(name).at(key), reference.at("classes").at(name).at(key));
      }
    }
  }
}
