// diopter evaluate with detections from a file.
#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/tools/program.h"

using namespace diopter::test;
using nlohmann::json;

namespace {

// Two cats, one of them found; a dog found where there is none.
constexpr const char* kTruth = R"({
  "images": [{"id": 7, "width": 100, "height": 80, "file_name": "a.png"}],
  "annotations": [
    {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0},
    {"id": 2, "image_id": 7, "category_id": 3, "bbox": [60, 20, 30, 30], "area": 900, "iscrowd": 0}],
  "categories": [{"id": 3, "name": "cat"}, {"id": 9, "name": "dog"}]})";
constexpr const char* kDetections = R"([
  {"image_id": 7, "category_id": 3, "bbox": [10, 10, 40, 40], "score": 0.9},
  {"image_id": 7, "category_id": 9, "bbox": [10, 10, 40, 40], "score": 0.8}])";

struct Files {
  TemporaryFolder folder;
  std::string truth = folder / "truth.json", detections = folder / "detections.json", out = folder / "out.json";
  Files() {
    write_bytes(truth, kTruth);
    write_bytes(detections, kDetections);
  }
  Outcome evaluate(const std::string& more = "") const {
    return run_diopter("evaluate --annotations '" + truth + "' --detections '" + detections + "' --json '" + out +
                       "' " + more);
  }
};

void require_equal(const json& actual, const json& expected, const std::string& place) {
  INFO(place << ": " << actual << " instead of " << expected);
  if (expected.is_array()) {
    REQUIRE(actual.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) require_equal(actual[i], expected[i], place);
  } else {
    REQUIRE(std::fabs(actual.get<double>() - expected.get<double>()) <= 1e-9);
  }
}

}  // namespace

TEST_CASE("evaluate writes COCO's numbers in full precision") {
  const Files files;
  const Outcome outcome = files.evaluate();
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "cat"));
  const json result = json::parse(read_bytes(files.out));
  const double half = 51.0 / 101.0;  // precision 1 at the recall points 0, .01, ... .5
  require_equal(result.at("stats"), {half, half, half, 0, 1, -1, 0.5, 0.5, 0.5, 0, 1, -1}, "stats");
  const json& cat = result.at("per_category").at("3");
  REQUIRE(cat.at("name") == "cat");
  REQUIRE(cat.at("objects") == 2);
  require_equal(cat.at("AP"), half, "AP");
  require_equal(cat.at("AR100"), 0.5, "AR100");
  REQUIRE(result.at("per_category").at("9").at("AP") == -1);
}

TEST_CASE("evaluate knows both VOC metrics") {
  const Files files;
  REQUIRE(files.evaluate("--metric voc").exit_code == 0);
  require_equal(json::parse(read_bytes(files.out)).at("mean_ap"), 0.5, "voc");
  REQUIRE(files.evaluate("--metric voc07").exit_code == 0);
  const json result = json::parse(read_bytes(files.out));
  require_equal(result.at("mean_ap"), 6.0 / 11.0, "voc07");  // the recall points 0, .1, ... .5
  require_equal(result.at("per_category").at("3").at("AP"), 6.0 / 11.0, "voc07 cat");
}

TEST_CASE("evaluate refuses files that it cannot use and leaves nothing behind") {
  const Files files;
  const auto refuse = [&](const std::string& detections, const std::string& culprit) {
    write_bytes(files.detections, detections);
    require_refused(files.evaluate(), culprit);
    REQUIRE_FALSE(std::filesystem::exists(files.out));
  };
  refuse("[{", "detections.json");
  refuse(R"({"image_id": 7})", "detections.json");
  refuse(R"([{"image_id": 8, "category_id": 3, "bbox": [1, 2, 3, 4], "score": 0.5}])", "8");
  refuse(R"([{"image_id": 7, "category_id": 3, "bbox": [1, 2, 3], "score": 0.5}])", "[0]");
  refuse(R"([{"image_id": 7, "category_id": 3, "bbox": [1, 2, -3, 4], "score": 0.5}])", "[0]");

  write_bytes(files.detections, kDetections);
  write_bytes(files.truth, "{}");
  require_refused(files.evaluate(), "truth.json");
  std::filesystem::remove(files.truth);
  require_refused(files.evaluate(), "truth.json");
  require_refused(files.evaluate("--metric best"), "--metric");
}

TEST_CASE("evaluate refuses an output that cannot be written") {
  const Files files;
  const std::string arguments = "evaluate --annotations '" + files.truth + "' --detections '" + files.detections + "'";
  const Outcome outcome = run_diopter(arguments + " --json '" + (files.folder / "missing/out.json") + "'");
  REQUIRE(outcome.exit_code == 2);
  REQUIRE(contains(outcome.err, "missing/out.json"));
}

TEST_CASE("evaluate agrees with pycocotools on every case") {
  if (test_data_folder().empty()) return skip("DIOPTER_TEST_DATA is not set");
  const TemporaryFolder folder;
  int cases = 0;
  for (const auto& entry : std::filesystem::directory_iterator(test_data_folder() + "/eval_cases/coco")) {
    if (!entry.is_directory()) continue;
    const std::string dir = entry.path(), out = folder / "out.json";
    const Outcome outcome = run_diopter("evaluate --annotations '" + dir + "/gt.json' --detections '" + dir +
                                        "/dt.json' --json '" + out + "'");
    INFO(dir << ": " << outcome.err);
    REQUIRE(outcome.exit_code == 0);
    const json result = json::parse(read_bytes(out)), expected = json::parse(read_bytes(dir + "/expected.json"));
    require_equal(result.at("stats"), expected.at("stats"), "stats");
    for (const auto& [id, numbers] : expected.at("per_category").items()) {
      for (const auto& [key, value] : numbers.items()) {
        require_equal(result.at("per_category").at(id).at(key), value, id + " " + key);
      }
    }
    ++cases;
  }
  REQUIRE(cases > 20);
}
