// diopter doctor on the built-in data set, and what it refuses.
#include <filesystem>
#include <string>

#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter::test;
using diopter::parse_json;
using nlohmann::json;

namespace {

struct DetectedShapes {
  TemporaryFolder folder;
  std::string annotations = folder / "instances_train.json", images = folder / "images", out = folder / "out.json";

  DetectedShapes() { REQUIRE(run_diopter("shapes --train 24 --val 2 --out '" + (folder / "") + "'").exit_code == 0); }
  Outcome doctor(const std::string& more = "") const {
    return run_diopter("doctor --annotations '" + annotations + "' --images '" + images + "' --json '" + out + "' " +
                       more);
  }
  json result() const { return parse_json(read_bytes(out)); }
};

}  // namespace

TEST_CASE("doctor finds nothing wrong with the built-in set") {
  const DetectedShapes shapes;
  const Outcome outcome = shapes.doctor();
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  for (const std::string part : {"\nclasses ", "\nanchors ", "\nstart of training", "  circle ", "\nno warnings\n"}) {
    REQUIRE(contains(outcome.out, part));
  }
  const json result = shapes.result();
  REQUIRE(result.at("warnings").empty());
  REQUIRE(result.at("data").at("pictures") == 24);
  REQUIRE(result.at("coverage").at("all").at("foreground_share") >= 0.9);
  const double expected = result.at("loss").at("expected"), measured = result.at("loss").at("measured");
  REQUIRE(measured == Approx(expected).epsilon(0.2));
  REQUIRE(result.at("memory").at("predicted_bytes") > 1000000);
}

TEST_CASE("doctor prints settings that fit better, ready to be used") {
  const DetectedShapes shapes;
  const std::string large = "--set anchors.size_factor=12";
  const Outcome poor = shapes.doctor(large);
  INFO(poor.out << poor.err);
  REQUIRE(poor.exit_code == 0);
  REQUIRE(contains(poor.out, "\nwarnings\n  1. "));
  const json before = shapes.result();
  REQUIRE(before.at("coverage").at("all").at("foreground_share") < 0.5);

  const std::size_t line = poor.out.find("--set anchors.size_factor=");
  REQUIRE(line != std::string::npos);
  const std::string settings = poor.out.substr(line, poor.out.find('\n', line) - line);
  REQUIRE(shapes.doctor(large + " " + settings).exit_code == 0);
  REQUIRE(shapes.result().at("coverage").at("all").at("foreground_share") == before.at("advice").at(0).at("coverage"));
}

TEST_CASE("doctor reports broken pictures, and does not open them when told so") {
  const DetectedShapes shapes;
  std::filesystem::resize_file(shapes.images + "/000003.png", 50);
  std::filesystem::remove(shapes.images + "/000005.png");
  const Outcome outcome = shapes.doctor();
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "pictures that do not exist: 1 (" + shapes.images + "/000005.png)"));
  REQUIRE(contains(outcome.out, "pictures that cannot be decoded: 1 (" + shapes.images + "/000003.png: "));
  REQUIRE(shapes.result().at("data").at("pictures") == 22);

  REQUIRE(shapes.doctor("--no-images").exit_code == 0);
  REQUIRE(shapes.result().at("warnings").empty());
  REQUIRE(shapes.result().at("data").at("pictures") == 24);
}

TEST_CASE("doctor names the blood cells' box without area") {
  if (test_data_folder().empty()) return skip("DIOPTER_TEST_DATA is not set");
  const TemporaryFolder folder;
  const std::string set = test_data_folder() + "/datasets/bccd", out = folder / "out.json";
  const Outcome outcome = run_diopter("doctor --no-images --annotations '" + set +
                                      "/instances_train_with_degenerate.json' --json '" + out + "'");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "without width or height, which training drops: 1 (BloodImage_00343.jpg annotation "));
  const json data = parse_json(read_bytes(out)).at("data");
  REQUIRE(data.at("pictures") == 205);
  REQUIRE(data.at("boxes").get<int>() == data.at("objects").get<int>() + 1);
}

TEST_CASE("doctor foresees a step on several processes", "[thorough]") {
  const DetectedShapes shapes;
  const std::string ranks = "--no-images --preset small --set train.batch_size=8 --set train.shards=4 --ranks 3";
  const Outcome outcome = shapes.doctor(ranks + " --bandwidth 1 --latency 2 --work 100");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, "ranks, with train.shards = 4 and a network of 1 Gbit/s and 2 ms\n"));
  // 4, 2 and 2 shards for the busiest; 2 ms of 2 x 7 short and 3 x 3 long messages.
  REQUIRE(contains(outcome.out, "\n          1     400.0           0.0          0.0     400.0         20.0"));
  REQUIRE(contains(outcome.out, "\n          2     200.0 "));
  REQUIRE(contains(outcome.out, "         46.0 "));
  REQUIRE(contains(outcome.out, "\n          3     200.0 "));
  const json forecast = shapes.result().at("ranks");
  REQUIRE(forecast.at("bits_per_second") == 1e9);
  REQUIRE(forecast.at("latency") == 0.002);
  REQUIRE(forecast.at("shard_work") == 0.1);
  REQUIRE(forecast.at("steps").size() == 3);
  const json two = forecast.at("steps").at(1);
  REQUIRE(two.at("processes") == 2);
  REQUIRE(two.at("work") == 0.2);
  REQUIRE(two.at("waiting") == Approx(0.046));
  REQUIRE(two.at("bytes_sent") > 1000000);
  REQUIRE(two.at("total") ==
          Approx(two.at("work").get<double>() + two.at("waiting").get<double>() + two.at("transfer").get<double>()));
  REQUIRE(contains(shapes.doctor(ranks).out, "\n          3 "));  // measured
  REQUIRE(shapes.doctor("--no-images").exit_code == 0);
  REQUIRE(!shapes.result().contains("ranks"));
  require_refused(shapes.doctor("--no-images --ranks 2"), "--set train.shards=2");
  require_refused(shapes.doctor("--no-images --ranks 0"), "--ranks");
  require_refused(shapes.doctor(ranks + " --bandwidth 0"), "--bandwidth");
}

TEST_CASE("doctor refuses what cannot be trained") {
  const DetectedShapes shapes;
  require_refused(run_diopter("doctor --annotations '" + shapes.annotations + "' --no-images --preset smal"), "small");
  require_refused(shapes.doctor("--no-images --set train.batch_size=0"), "train.batch_size");
  write_bytes(shapes.annotations, R"({"images": [{"id": 1, "width": 64, "height": 64, "file_name": "a.png"}],
    "annotations": [], "categories": [{"id": 1, "name": "cat"}]})");
  require_refused(shapes.doctor("--no-images"), "no object to learn from");
}
