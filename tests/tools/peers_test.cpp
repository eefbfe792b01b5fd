// tools/peers/peers.py at its smallest sizes: our side alone, and beside PyTorch where there is one.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/tools/program.h"

using diopter::json_text;
using diopter::parse_json;
using nlohmann::json;
using namespace diopter::test;

namespace {

/// Runs peers.py; the rows of its results.
struct Comparison {
  explicit Comparison(const std::string& arguments) {
    const TemporaryFolder folder;
    outcome = run_shell("python3 -B '" DIOPTER_SOURCE_DIR "/tools/peers/peers.py' --quick --program '" DIOPTER_PROGRAM
                        "' --out '" +
                        (folder / "results") + "' " + arguments);
    INFO(outcome.out << outcome.err);
    REQUIRE(outcome.exit_code == 0);
    rows = parse_json(read_bytes(folder / "results.json"))["rows"];
  }

  Outcome outcome;
  json rows;
};

}  // namespace

TEST_CASE("peers: our side alone, a case for each type") {
  if (kSanitized) return skip("the limit of memory that peers.py sets, under sanitizers");
  const Comparison comparison("--ours-only --variants --only focal,nms");
  REQUIRE(comparison.rows.size() == 4);
  REQUIRE(contains(comparison.rows[0]["case"].get<std::string>(), ", f32"));
  REQUIRE(contains(comparison.rows[1]["case"].get<std::string>(), ", bf16"));
  for (const json& row : comparison.rows) {
    REQUIRE(row["ours"]["seconds"] > 0);
    REQUIRE_FALSE(row.contains("times_faster"));
  }
}

TEST_CASE("peers: what there is no time for is named, and is no failure") {
  const Comparison comparison("--ours-only --only nms --seconds 0.000001");
  REQUIRE(comparison.rows.size() == 2);
  REQUIRE(comparison.rows[0]["left_out"] == json{"f32"});
  REQUIRE(contains(comparison.outcome.out, "f32: left out, no time"));
}

TEST_CASE("evaluators: our side alone, in a table") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run_shell("python3 -B '" DIOPTER_SOURCE_DIR "/tools/peers/evaluators.py' --python python3 --program '" +
                std::string(DIOPTER_PROGRAM) + "' --folder '" + (folder / "cases") +
                "' --cases 1,000 --rounds 2 --processors 1 --without pycocotools "
                "ultrafast_pycocotools hotcoco");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "| 1,000 | 1 | diopter | "));
}

TEST_CASE("two_stage: our side alone, and a run that has been made is not made again", "[thorough]") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", out = folder / "out";
  REQUIRE(run_diopter("shapes --train 4 --val 3 --size 32 --out " + data).exit_code == 0);
  const auto compare = [&](const std::string& set) {
    return run_shell("python3 -B '" DIOPTER_SOURCE_DIR "/tools/peers/two_stage.py' --python python3 --program '" +
                     std::string(DIOPTER_PROGRAM) + "' --out '" + out + "' --only RetinaNet --iterations 3 --seeds 2 " +
                     set);
  };
  const std::string set =
      "tiny:" + data + "/instances_train.json:" + data + "/instances_val.json:" + data + "/images:32:3";
  const Outcome outcome = compare(set);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "\n| tiny | RetinaNet | 0."));
  const std::string run = out + "/tiny/RetinaNet_lr0.1_seed100_1/result.json";
  std::filesystem::remove(out + "/tiny/RetinaNet_lr0.2_seed100_1/result.json");
  json numbers = parse_json(read_bytes(run));
  numbers["ap"] = 99;  // now this rate is the best, whose runs with both seeds follow
  folder.write("out/tiny/RetinaNet_lr0.1_seed100_1/result.json", json_text(numbers));
  const Outcome again = compare(set);
  INFO(again.out << again.err);
  REQUIRE(contains(again.out, "\n| tiny | RetinaNet | 0.1 |"));
  REQUIRE(contains(again.err, "rate 0.1, seed 100, 1 iterations: AP 99.0"));
  REQUIRE(std::filesystem::exists(out + "/tiny/RetinaNet_lr0.1_seed2_3/result.json"));
  REQUIRE(std::filesystem::exists(out + "/tiny/RetinaNet_lr0.2_seed100_1/result.json"));

  numbers["ap"] = 100;  // the best is at the edge: a rate beyond it is tried, and is worse
  folder.write("out/tiny/RetinaNet_lr0.2_seed100_1/result.json", json_text(numbers));
  REQUIRE(contains(compare(set).out, "\n| tiny | RetinaNet | 0.2 |"));
  REQUIRE(std::filesystem::exists(out + "/tiny/RetinaNet_lr0.4_seed100_1/result.json"));
  REQUIRE_FALSE(std::filesystem::exists(out + "/tiny/RetinaNet_lr0.8_seed100_1"));
  REQUIRE_FALSE(std::filesystem::exists(out + "/tiny/RetinaNet_lr0.025_seed100_1"));
  REQUIRE(compare("tiny:none:none:none:32:3").err == "none: not found\n");
}

TEST_CASE("cut_tiles: every pixel is in a tile, and boxes are cut with them") {
  const TemporaryFolder folder;
  folder.write("modules/PIL/__init__.py", "");
  // Pictures that are their sizes.
  folder.write("modules/PIL/Image.py", R"(
class Picture:
    def __init__(self, width, height):
        self.width, self.height = width, height
    convert = lambda self, mode: self
    crop = lambda self, box: Picture(box[2] - box[0], box[3] - box[1])
    save = lambda self, path: open(path, "w").write(f"{self.width} {self.height}")
open_file, open_picture = open, lambda path: Picture(*map(int, open_file(path).read().split()))
def open(path, mode="r"):
    return open_file(path, mode) if mode == "w" else open_picture(path)
)");
  folder.write("images/a.jpg", "25 10");
  folder.write("images/in/b.jpg", "7 8");
  folder.write("set.json", R"({"categories": [{"id": 3, "name": "car"}],
    "images": [{"id": 5, "file_name": "a.jpg"}, {"id": 6, "file_name": "in/b.jpg"}],
    "annotations": [{"id": 1, "image_id": 5, "category_id": 3, "bbox": [8, 2, 4, 4], "iscrowd": 1},
                    {"id": 2, "image_id": 5, "category_id": 3, "bbox": [4, 2, 8, 4]},
                    {"id": 3, "image_id": 6, "category_id": 3, "bbox": [1, 2, 3, 4]}]})");
  const Outcome outcome = run_shell(
      "PYTHONPATH='" + (folder / "modules") + "' python3 -B '" DIOPTER_SOURCE_DIR "/tools/peers/cut_tiles.py' '" +
      (folder / "images") + "' '" + (folder / "out") + "' 10 '" + (folder / "set.json") + "'");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(outcome.out == (folder / "out/set.json") + ": 4 tiles of 2 pictures, 4 boxes of 3\n");
  const json tiles = parse_json(read_bytes(folder / "out/set.json"));
  for (const auto& [name, size] : {std::pair{"a_0_0", "10 10"}, std::pair{"a_10_0", "10 10"},
                                   std::pair{"a_15_0", "10 10"}, std::pair{"in_b_0_0", "7 8"}}) {
    REQUIRE(read_bytes(folder / ("out/images/" + std::string(name) + ".png")) == size);
  }
  REQUIRE(tiles["images"][2] == json{{"id", 3}, {"width", 10}, {"height", 10}, {"file_name", "a_15_0.png"}});
  // Of the first box half is in either tile, of the second three quarters in one.
  const std::vector<std::pair<int, std::vector<int>>> expected{
      {1, {8, 2, 2, 4}}, {1, {4, 2, 6, 4}}, {2, {0, 2, 2, 4}}, {4, {1, 2, 3, 4}}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    INFO(i);
    REQUIRE(tiles["annotations"][i]["image_id"] == expected[i].first);
    REQUIRE(tiles["annotations"][i]["bbox"] == expected[i].second);
  }
  REQUIRE(tiles["annotations"][2]["iscrowd"] == 1);
  REQUIRE(tiles["annotations"][2]["area"] == 8);
}

TEST_CASE("read_exports: boxes that differ, and readers that are not there") {
  const TemporaryFolder folder;
  folder.write("exports/detections.json", R"([
    {"file_name": "x/a.png", "category": "cat", "bbox": [1, 2, 3, 4], "score": 0.5},
    {"file_name": "x/b.png", "category": "cat", "bbox": [1, 2, 3, 4], "score": 0.1}])");
  folder.write("exports/voc/a.xml", "");
  folder.write("exports/cvat.xml", "");
  folder.write("modules/datumaro.py", "raise ImportError('not here')");
  // A reader that finds the box that it is told of.
  folder.write("modules/supervision.py", R"(import os, types
class Values(list):
    tolist = lambda self: list(self)
class DetectionDataset(list):
    @classmethod
    def from_pascal_voc(cls, pictures, annotations):
        label, *box = os.environ["BOX"].split()
        data = cls([("pictures/a.png", None, types.SimpleNamespace(xyxy=Values([list(map(float, box))]), class_id=Values([0])))])
        data.classes = [label]
        return data
)");
  const auto read = [&](const std::string& box) {
    return run_shell("BOX='" + box + "' PYTHONPATH='" + (folder / "modules") +
                     "' python3 -B '" DIOPTER_SOURCE_DIR "/tools/peers/read_exports.py' '" + (folder / "exports") +
                     "' --score 0.2");
  };
  const Outcome same = read("cat 1 2 4 6.0005");
  REQUIRE(same.out ==
          "cvat.xml: skipped, not here\n"
          "voc, supervision, VOC: 1 of 1 boxes, edges differ by at most 0.0005 pixels\n");
  REQUIRE(same.exit_code == 0);
  REQUIRE(read("cat 1 2 4 6.01").exit_code == 1);
  const Outcome other = read("dog 1 2 4 6");
  REQUIRE(other.exit_code == 1);
  REQUIRE(contains(other.out, "1 of 1 boxes, other pictures, classes or numbers of boxes\n"));
}

TEST_CASE("same_time: our side alone, and a run that has been made is not made again", "[thorough]") {
  const TemporaryFolder folder;
  const std::string data = folder / "data", out = folder / "out";
  REQUIRE(run_diopter("shapes --train 8 --val 3 --size 32 --out " + data).exit_code == 0);
  const auto compare = [&](const std::string& set) {
    return run_shell("python3 -B '" DIOPTER_SOURCE_DIR "/tools/peers/same_time.py' --program '" +
                     std::string(DIOPTER_PROGRAM) + "' --out '" + out +
                     "' --with diopter,diopter_scratch --minutes 0.005 --seeds 2 " + set);
  };
  const std::string set =
      "tiny:" + data + "/instances_train.json:" + data + "/instances_val.json:" + data + "/images:32:input.max_size=32";
  const Outcome outcome = compare(set);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "\n| tiny | diopter | "));
  REQUIRE(contains(outcome.err, "tiny, diopter, 0.005 min, seed 2: AP "));
  const std::string run = "out/tiny/diopter_0.005_1/result.json";
  json numbers = parse_json(read_bytes(folder / run));
  REQUIRE(numbers["pictures"].get<int>() % 8 == 0);
  const std::string runs = read_bytes(folder / "out/runs.csv");
  REQUIRE(std::count(runs.begin(), runs.end(), '\n') == 5);
  REQUIRE(contains(runs, "\ntiny,diopter_scratch,0.005,2,"));
  REQUIRE(contains(read_bytes(folder / "out/tiny/diopter_scratch_0.005_1/train.log"), "parameters on cpu"));
  REQUIRE(contains(read_bytes(folder / "out/tiny/diopter_0.005_1/train.log"), "from the built-in weights on cpu"));
  numbers["AP"] = 99;
  folder.write(run, json_text(numbers));
  REQUIRE(contains(compare(set).err, "tiny, diopter, 0.005 min, seed 1: AP 99.0"));
  REQUIRE(compare("tiny:none:none:none:32").err == "none: not found\n");
}

TEST_CASE("peers: every case has the ratio of both sides, measured in the same run") {
  const char* named = std::getenv("DIOPTER_TEST_PYTHON");
  const std::string python = named ? named : "python3";
  if (run_shell("'" + python + "' -c 'import torch, torchvision'").exit_code != 0) {
    skip(python + " has no torch and torchvision (DIOPTER_TEST_PYTHON names another)");
    return;
  }
  // Compiling takes minutes on a small machine: what has not begun by then is left out.
  const Comparison comparison("--variants --only nms,match,focal,step,inference --seconds 120 --python '" + python +
                              "'");
  int compared = 0;
  for (const json& row : comparison.rows) {
    if (row.contains("left_out") || row["once"] == true) continue;
    INFO(json_text(row));
    REQUIRE(row["times_faster"]["median"] > 0);
    ++compared;
  }
  REQUIRE(compared >= 2);
}
