// diopter evaluate with detections from a file.
#include <cmath>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "data/pictures/image.h"
#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter::test;
using diopter::parse_json;
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
  const json result = parse_json(read_bytes(files.out));
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
  require_equal(parse_json(read_bytes(files.out)).at("mean_ap"), 0.5, "voc");
  REQUIRE(files.evaluate("--metric voc07").exit_code == 0);
  const json result = parse_json(read_bytes(files.out));
  require_equal(result.at("mean_ap"), 6.0 / 11.0, "voc07");  // the recall points 0, .1, ... .5
  require_equal(result.at("per_category").at("3").at("AP"), 6.0 / 11.0, "voc07 cat");
}

TEST_CASE("evaluate breaks errors down") {
  const Files files;
  const Outcome outcome = files.evaluate("--errors");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "error at IoU 0.5"));
  const json result = parse_json(read_bytes(files.out));
  const json& errors = result.at("errors");
  const double half = 51.0 / 101.0;
  require_equal(errors.at("AP50"), half, "AP50");
  require_equal(errors.at("missed").at("count"), 1, "missed");
  require_equal(errors.at("missed").at("gain"), 1 - half, "missed");
  require_equal(errors.at("confusion").at("count"), 1, "confusion");  // the dog upon the cat that is found
  require_equal(errors.at("confusion").at("gain"), 0, "confusion");
  require_equal(errors.at("false_negatives").at("gain"), 1 - half, "false_negatives");
  require_equal(result.at("per_category").at("3").at("errors").at("missed").at("count"), 1, "cat");
  require_equal(result.at("per_category").at("9").at("errors").at("confusion").at("count"), 1, "dog");
  REQUIRE_FALSE(parse_json(read_bytes(files.out)).contains("intervals"));
}

TEST_CASE("evaluate gives confidence intervals") {
  const Files files;
  const auto intervals = [&](const std::string& options) {
    const Outcome outcome = files.evaluate(options);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    REQUIRE(contains(outcome.out, "bootstrap"));
    return parse_json(read_bytes(files.out));
  };
  const json result = intervals("--bootstrap 50");
  const double half = 51.0 / 101.0;  // one picture: every resample is the data set
  require_equal(result.at("intervals").at("AP"), {half, half}, "AP");
  require_equal(result.at("per_category").at("3").at("AP_interval"), {half, half}, "cat");
  require_equal(result.at("per_category").at("9").at("AP_interval"), {-1, -1}, "dog");
  require_refused(files.evaluate("--bootstrap -1"), "--bootstrap");
}

TEST_CASE("evaluate writes the thresholds of largest F1") {
  const Files files;
  const std::string thresholds = files.folder / "thresholds.json";
  const Outcome outcome = files.evaluate("--thresholds '" + thresholds + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "largest F1 at IoU 0.5"));
  const json result = parse_json(read_bytes(thresholds));
  REQUIRE(result.at("iou") == 0.5);
  require_equal(result.at("classes").at("cat").at("score"), 0.9, "score");
  require_equal(result.at("classes").at("cat").at("F1"), 2.0 / 3, "F1");
  REQUIRE(result.at("classes").at("dog").is_null());
  require_equal(result.at("all").at("score"), 0.9, "score of all");
}

TEST_CASE("evaluate tells how far scores are probabilities") {
  const Files files;
  const Outcome outcome = files.evaluate("--calibration --csv '" + (files.folder / "tables") + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "calibration at IoU 0.5: expected error 0.4500 over 2 detections"));
  const json calibration = parse_json(read_bytes(files.out)).at("calibration");
  require_equal(calibration.at("ECE"), 0.5 * 0.1 + 0.5 * 0.8, "ECE");
  REQUIRE(calibration.at("bins").size() == 10);
  REQUIRE(calibration.at("bins").at(9).at("detections") == 1);
  REQUIRE(contains(read_bytes(files.folder / "tables/calibration.csv"), "\n0.8,0.9,1,0.8,0\n"));
}

TEST_CASE("evaluate compares two lists of detections") {
  const Files files;
  const std::string none = files.folder / "none.json";
  write_bytes(none, R"([{"image_id": 7, "category_id": 3, "bbox": [80, 80, 4, 4], "score": 0.5}])");
  const Outcome outcome = files.evaluate("--against '" + none + "' --bootstrap 50");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "against " + none));
  const json result = parse_json(read_bytes(files.out));
  const double half = 51.0 / 101.0;
  require_equal(result.at("against").at("AP").at("difference"), half, "difference");
  require_equal(result.at("against").at("AP").at("interval"), {half, half}, "interval");
  require_equal(result.at("against").at("AR100").at("share_larger"), 1, "share");
  require_equal(result.at("per_category").at("3").at("against").at("difference"), half, "of cat");
  const std::string other = files.folder / "other.json";
  write_bytes(other, R"([{"image_id": 8, "category_id": 3, "bbox": [80, 80, 4, 4], "score": 0.5}])");
  require_refused(files.evaluate("--against '" + other + "'"), "no image of the ground truth has the id 8");
}

TEST_CASE("evaluate shows detections where nothing is labelled") {
  const Files files;
  write_bytes(files.folder / "truth.json", R"({"images": [{"id": 7, "file_name": "a.ppm"}], "annotations": [
    {"id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 1, 4, 4], "area": 16}], "categories": [{"id": 3, "name": "cat"}]})");
  write_bytes(files.detections, R"([{"image_id": 7, "category_id": 3, "bbox": [10, 4, 8, 4], "score": 0.9},
    {"image_id": 7, "category_id": 3, "bbox": [30, 30, 8, 4], "score": 0.8},
    {"image_id": 7, "category_id": 3, "bbox": [1, 1, 4, 4], "score": 0.9}])");
  write_bytes(files.folder / "a.ppm", "P6 20 10 255\n" + std::string(600, '\x80'));
  const std::string suspects = files.folder / "suspects";
  const std::string more = "--images '" + files.folder.path() + "' --missing-labels '" + suspects + "'";
  const Outcome outcome = files.evaluate(more);
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "2 detections with a score of at least 0.5 where nothing is labelled"));
  REQUIRE(read_bytes(suspects + "/missing_labels.csv") ==
          "picture,class,xmin,ymin,xmax,ymax,score,crop\na.ppm,cat,10,4,18,8,0.9,0001.jpg\n"
          "a.ppm,cat,30,30,38,34,0.8,\n");
  int width = 0, height = 0;
  diopter::read_image_size(suspects + "/0001.jpg", width, height);
  REQUIRE(width == 14);  // from 6 to the picture's end
  REQUIRE(height == 10);
  REQUIRE(files.evaluate(more).exit_code == 0);  // its own folder again
  require_refused(files.evaluate("--missing-labels '" + files.folder.path() + "'"), "holds other files already");
}

TEST_CASE("evaluate writes tables") {
  const Files files;
  write_bytes(files.truth, R"({
    "images": [{"id": 7, "width": 100, "height": 80, "file_name": "a.png"}],
    "annotations": [
      {"id": 1, "image_id": 7, "category_id": 3, "bbox": [10, 10, 40, 40], "area": 1600, "iscrowd": 0},
      {"id": 2, "image_id": 7, "category_id": 3, "bbox": [60, 20, 30, 30], "area": 900, "iscrowd": 0}],
    "categories": [{"id": 3, "name": "cat, \"big\""}, {"id": 9, "name": "dog"}]})");
  const std::string tables = files.folder / "new/tables";
  const Outcome outcome = files.evaluate("--csv '" + tables + "' --bootstrap 10 --score 0.85");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);

  const auto lines = [&](const std::string& name) {
    std::vector<std::string> result;
    std::istringstream text(read_bytes(tables + "/" + name));
    for (std::string line; std::getline(text, line);) result.push_back(line);
    return result;
  };
  const std::vector<std::string> categories = lines("categories.csv");
  REQUIRE(categories.size() == 3);
  REQUIRE(categories[0] == "id,category,objects,AP,AP50,AP75,APs,APm,APl,AR1,AR10,AR100,ARs,ARm,ARl");
  REQUIRE(categories[1].starts_with("3,\"cat, \"\"big\"\"\",2,0.504950495049"));
  REQUIRE(categories[2] == "9,dog,0,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1,-1");

  const std::vector<std::string> curves = lines("pr_curves.csv");
  REQUIRE(curves.size() == 1 + 6 * 101);  // the cats and the mean, at 0.50, 0.75 and over all thresholds
  REQUIRE(curves[0] == "id,category,iou,recall,precision,score");
  REQUIRE(curves[1 + 50].starts_with("3,\"cat, \"\"big\"\"\",0.50,0.5,"));
  REQUIRE(curves[1 + 50].ends_with(",0.9"));
  REQUIRE(curves[1 + 51].ends_with(",0,0"));
  REQUIRE(curves[1 + 101].starts_with("3,\"cat, \"\"big\"\"\",0.75,0,"));
  REQUIRE(curves[1 + 2 * 101].starts_with("3,\"cat, \"\"big\"\"\",0.50:0.95,0,"));
  REQUIRE(curves[606].starts_with(",(all),0.50:0.95,1,0,"));

  const std::vector<std::string> errors = lines("errors.csv");
  REQUIRE(errors.size() == 1 + 3 * 8);
  REQUIRE(errors[0] == "id,category,AP50,error,count,gain");
  REQUIRE(errors[9] == "9,dog,-1,confusion,1,0");
  REQUIRE(errors[22].starts_with(",(all),0.50495049504950"));
  REQUIRE(contains(errors[22], ",missed,1,0.49504950495049"));

  REQUIRE(lines("confusion.csv") == std::vector<std::string>{"truth,\"cat, \"\"big\"\"\",dog,(not found)",
                                                             "\"cat, \"\"big\"\"\",1,0,1", "dog,0,0,0",
                                                             "(background),0,0,0"});
  const std::vector<std::string> intervals = lines("intervals.csv");
  REQUIRE(intervals.size() == 1 + 2 + 4);
  REQUIRE(intervals[2] == "9,dog,AP,-1,-1,-1");
  REQUIRE(intervals[3].starts_with(",(all),AP,0.504950495049"));
}

TEST_CASE("evaluate refuses options that its metric does not know, and folders that cannot be made") {
  const Files files;
  for (const std::string option : {"--errors", "--csv tables", "--bootstrap 5"}) {
    const std::string name = option.substr(0, option.find(' '));
    require_refused(files.evaluate("--metric voc " + option), name + " needs --metric coco");
  }
  const Outcome outcome = files.evaluate("--csv '" + files.truth + "/tables'");
  REQUIRE(outcome.exit_code == 2);
  REQUIRE(contains(outcome.err, "truth.json/tables: cannot be made"));
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

TEST_CASE("evaluate warns where detections are cut") {
  const Files files;
  json truth = parse_json(kTruth), detections = json::array();
  truth["annotations"] = json::array();
  for (int i = 0; i < 101; ++i) {
    const json box = {i % 20 * 5, i / 20 * 10, 4, 8};
    truth["annotations"].push_back(
        {{"id", i + 1}, {"image_id", 7}, {"category_id", 3}, {"bbox", box}, {"area", 32}, {"iscrowd", 0}});
    detections.push_back({{"image_id", 7}, {"category_id", 3}, {"bbox", box}, {"score", 0.9}});
  }
  write_bytes(files.truth, truth.dump());
  write_bytes(files.detections, detections.dump());
  const Outcome cut = files.evaluate();
  REQUIRE(contains(cut.err,
                   "diopter: warning: 1 of the 1 pictures have more than 100 detections of a class: those with "
                   "lower scores do not count (--max-detections counts more)\n"));
  const Outcome more = files.evaluate("--max-detections 1,10,101");
  REQUIRE(more.exit_code == 0);
  REQUIRE_FALSE(contains(more.err, "of a class"));
}

TEST_CASE("evaluate names all pictures that it cannot read, and goes without them when told so") {
  const TemporaryFolder folder;
  REQUIRE(run_diopter("shapes --train 4 --val 6 --size 32 --out " + (folder / "shapes")).exit_code == 0);
  const std::string images = folder / "shapes/images", truth = folder / "shapes/instances_val.json";
  REQUIRE(run_diopter("train --train-annotations " + (folder / "shapes/instances_train.json") + " --train-images " +
                      images + " --out " + (folder / "run") + " --set train.iterations=1 --set train.batch_size=1 " +
                      "--set input.max_size=32 --set train.workers=0")
              .exit_code == 0);
  const auto evaluate = [&](const std::string& more) {
    return run_diopter("evaluate --checkpoint " + (folder / "run/checkpoints/last.safetensors") + " --annotations " +
                       truth + " --images " + images + " --json " + (folder / "out.json") + " " + more);
  };
  REQUIRE(evaluate("").exit_code == 0);
  for (const char* name : {"/000005.png", "/000008.png"}) std::filesystem::remove(images + name);
  write_bytes(images + "/000007.png", "no picture");
  const std::string text = "3 of the 6 pictures cannot be read: " + images + "/000005.png: no such file; " + images +
                           "/000007.png: cannot be decoded ";
  require_refused(evaluate(""), text);
  require_refused(evaluate(""), "000008.png: no such file (--skip-missing evaluates the others)");
  // Damage behind the header shows when the picture is decoded.
  std::filesystem::resize_file(images + "/000009.png", std::filesystem::file_size(images + "/000009.png") - 30);
  const Outcome skipped = evaluate("--skip-missing");
  INFO(skipped.out << skipped.err);
  REQUIRE(skipped.exit_code == 0);
  REQUIRE(contains(skipped.err, "diopter: warning: " + text));
  REQUIRE(contains(skipped.err, "1 of the 3 pictures cannot be read: " + images + "/000009.png: "));
  std::int64_t objects = 0, left = 0;
  const json set = parse_json(read_bytes(truth));
  for (const auto& a : set.at("annotations")) {
    left += a.at("image_id") == 6 || a.at("image_id") == 10;
  }
  const json out = parse_json(read_bytes(folder / "out.json"));
  for (const auto& [id, category] : out.at("per_category").items())
    objects += category.at("objects").get<std::int64_t>();
  REQUIRE(objects == left);

  for (const auto& entry : std::filesystem::directory_iterator(images)) std::filesystem::remove(entry.path());
  require_refused(evaluate("--skip-missing"), "6 of the 6 pictures cannot be read: ");
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
    const json result = parse_json(read_bytes(out)), expected = parse_json(read_bytes(dir + "/expected.json"));
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

TEST_CASE("evaluate takes other thresholds, areas and numbers of detections, and says so") {
  const Files files;
  const Outcome outcome =
      files.evaluate("--max-detections 1,300 --areas tiny:0:35,rest:35: --iou 0.3:0.7:0.2 --arrays '" +
                     (files.folder / "cells.safetensors") + "'");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "IoU thresholds: 0.3, 0.5, 0.7\n"));
  REQUIRE(contains(outcome.out, "areas, by the side of a square in pixels: tiny from 0 to 35, rest from 35 on\n"));
  REQUIRE(contains(outcome.out, "IoU=0.30:0.70 | area=  rest | maxDets=300 ] = 1.000\n"));
  const json result = parse_json(read_bytes(files.out));
  const json columns = {"AP", "AP50", "AP_tiny", "AP_rest", "AR1", "AR300", "AR_tiny", "AR_rest"};
  REQUIRE(result.at("columns") == columns);
  const double half = 51.0 / 101.0;
  require_equal(result.at("stats"), {half, half, 0, 1, 0.5, 0.5, 0, 1}, "stats");
  REQUIRE(result.at("settings").at("max_detections") == json({1, 300}));
  REQUIRE(result.at("settings").at("areas").at("rest") == json({1225.0, 1e10}));
  REQUIRE(result.at("per_category").at("3").at("recall300_per_iou").size() == 3);
  const std::string cells = read_bytes(files.folder / "cells.safetensors");
  const json header = parse_json(cells.substr(8, cells.find('\0', 8) - 8).substr(0, cells.rfind("}}") - 6));
  REQUIRE(header.at("precision").at("dtype") == "F64");
  REQUIRE(header.at("precision").at("shape") == json({3, 101, 2, 3, 2}));
  REQUIRE(header.at("recall").at("shape") == json({3, 2, 3, 2}));
  REQUIRE(header.at("category_ids").at("shape") == json({2}));
  REQUIRE(header.at("__metadata__").at("areas") == R"(["all","tiny","rest"])");

  REQUIRE(contains(files.evaluate("--areas 16,32").out, "0-16 from 0 to 16, 16-32 from 16 to 32, 32- from 32 on\n"));
  const std::string tables = files.folder / "tables";
  REQUIRE(files.evaluate("--iou 0.6,0.75 --bootstrap 5 --csv '" + tables + "'").exit_code == 0);
  REQUIRE_FALSE(std::filesystem::exists(tables + "/errors.csv"));  // it is about IoU .5
  REQUIRE(parse_json(read_bytes(files.out)).at("intervals").size() == 3);
}

TEST_CASE("evaluate takes some of the categories") {
  const Files files;
  const Outcome outcome = files.evaluate("--categories dog");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "categories: dog only"));
  REQUIRE(outcome.err.empty());  // the cats are no strangers
  json result = parse_json(read_bytes(files.out));
  REQUIRE(result.at("per_category").size() == 1);
  REQUIRE(result.at("settings").at("categories") == json({9}));
  REQUIRE(files.evaluate("--categories 3").exit_code == 0);
  result = parse_json(read_bytes(files.out));
  REQUIRE(result.at("per_category").at("3").at("objects") == 2);
  require_equal(result.at("stats").at(0), 51.0 / 101.0, "AP");
  require_refused(files.evaluate("--categories cat,bird"),
                  "--categories: 'bird' is neither name nor id of a category; there are 'cat', 'dog'");
}

TEST_CASE("evaluate numbers annotations anew: one with id 0 is found") {
  const Files files;
  std::string truth = kTruth;
  truth.replace(truth.find("\"id\": 1,"), 8, "\"id\": 0,");
  write_bytes(files.truth, truth);
  const Outcome plain = files.evaluate();
  REQUIRE(contains(plain.err, "evaluate --renumber"));
  require_equal(parse_json(read_bytes(files.out)).at("stats").at(0), 0, "AP");
  const Outcome renumbered = files.evaluate("--renumber");
  REQUIRE(renumbered.err.empty());
  REQUIRE(contains(renumbered.out, "annotations: numbered from 1"));
  const json result = parse_json(read_bytes(files.out));
  require_equal(result.at("stats").at(0), 51.0 / 101.0, "AP");
  REQUIRE(result.at("settings").at("renumbered") == true);
}

TEST_CASE("evaluate refuses settings that it cannot use") {
  const Files files;
  for (const std::string option :
       {"--iou x", "--iou 0.5:0.9", "--iou 0.9,0.5", "--iou 0.5,1.5", "--iou 0.5:0.9:0.001", "--max-detections 10,1",
        "--max-detections 0", "--max-detections 1.5", "--areas small:0", "--areas small:32:16", "--areas all:0:32",
        "--areas 'a:0:1,a:1:2'", "--areas 32,16", "--areas :0:3"}) {
    require_refused(files.evaluate(option), option.substr(0, option.find(' ')));
  }
  require_refused(files.evaluate("--errors --iou 0.6"), "--errors needs 0.5");
  require_refused(files.evaluate("--set detect.max_detections=5"), "--set needs --checkpoint");
  for (const std::string option : {"--areas 16", "--max-detections 5", "--arrays x", "--renumber"}) {
    require_refused(files.evaluate("--metric voc " + option),
                    option.substr(0, option.find(' ')) + " needs --metric coco, not voc");
  }
  require_refused(files.evaluate("--metric voc --iou 0.5,0.6"), "--iou");
  require_refused(files.evaluate("--metric voc --iou 1.5"), "--iou");
  REQUIRE(files.evaluate("--metric voc --iou 0.9").exit_code == 0);
  REQUIRE(parse_json(read_bytes(files.out)).at("settings").at("iou") == 0.9);
}
