// diopter shapes, as a user calls it.
#include <filesystem>
#include <string>

#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter::test;
using diopter::parse_json;
using nlohmann::json;

TEST_CASE("shapes writes a COCO data set with its pictures") {
  const TemporaryFolder folder;
  const std::string out = folder / "shapes";
  const Outcome outcome =
      run_diopter("shapes --out '" + out + "' --train 3 --val 2 --size 48 --seed 5 --objects 2 2 --empty 0");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "3 training and 2 validation pictures of 48 x 48"));
  REQUIRE(contains(outcome.err, "shapes 5/5"));

  const json train = parse_json(read_bytes(out + "/instances_train.json"));
  const json val = parse_json(read_bytes(out + "/instances_val.json"));
  REQUIRE(train.at("images").size() == 3);
  REQUIRE(train.at("annotations").size() == 6);
  REQUIRE(val.at("images").size() == 2);
  REQUIRE(val.at("annotations").size() == 4);
  for (const json& set : {train, val}) {
    for (const json& image : set.at("images")) {
      REQUIRE(image.at("width") == 48);
      REQUIRE(std::filesystem::exists(out + "/images/" + image.at("file_name").get<std::string>()));
    }
  }
}

TEST_CASE("shapes of many classes, with parts of objects and without some of the labels") {
  const TemporaryFolder folder;
  const std::string out = folder / "shapes";
  const Outcome outcome =
      run_diopter("shapes --out '" + out +
                  "' --train 20 --val 20 --size 48 --objects 1 1 --empty 0 --forms 4 --colours 4 --textures 3 --parts "
                  "0.5 --missing 0.5");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "classes: 48"));
  const json train = parse_json(read_bytes(out + "/instances_train.json"));
  const json val = parse_json(read_bytes(out + "/instances_val.json"));
  REQUIRE(train.at("categories").size() == 48);
  REQUIRE(train.at("categories")[47].at("name") == "yellow checked star");
  REQUIRE(train.at("annotations").size() < 18);
  REQUIRE(val.at("annotations").size() == 20);
}

TEST_CASE("shapes that cannot be made are refused") {
  const TemporaryFolder folder;
  write_bytes(folder / "file", "not a folder");
  const std::string out = "shapes --out '" + (folder / "set") + "' ";
  require_refused(run_diopter(out + "--objects 3 1"), "3");
  require_refused(run_diopter(out + "--size 0"), "size");
  require_refused(run_diopter(out + "--contrast 7"), "contrast");
  require_refused(run_diopter(out + "--forms 9"), "number of forms is 9");
  require_refused(run_diopter(out + "--train -1"), "-1");
  require_refused(run_diopter(out + "--seed -1"), "--seed");
  REQUIRE_FALSE(std::filesystem::exists(folder / "set"));
  require_refused(run_diopter("shapes --train 1 --val 1 --out '" + (folder / "file") + "'"), "file");
}
