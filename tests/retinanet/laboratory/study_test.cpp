#include "retinanet/laboratory/study.h"

#include <algorithm>
#include <filesystem>
#include <set>
#include <sstream>

#include "data/metrics/calibration.h"
#include "data/metrics/operating_point.h"
#include "data/readers/coco.h"
#include "retinanet/laboratory/study_data.h"
#include "retinanet/network/detect.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/weights.h"
#include "tests/support/files.h"
#include "tests/support/protocols.h"

using namespace diopter;
using test::contains;
using test::error_of;
using test::replaced;

namespace fs = std::filesystem;

namespace {

struct TinyStudy {
  test::TemporaryFolder folder;
  Study study;

  explicit TinyStudy(const std::string& text = test::tiny_protocol()) : study(create(folder / "study", text)) {}

  static Study create(const std::string& folder, const std::string& text) {
    std::vector<std::string> warnings;
    return Study::create(folder, text, "p.toml", warnings, nullptr);
  }
  PlannedRun find(const std::string& name) const { return find_run(study.protocol(), study.results(), name); }
  /// Makes a run, or its first `steps` steps.
  std::optional<RunResult> run(const std::string& name, int steps = 1000) const {
    TrainerCallbacks callbacks;
    callbacks.stop_requested = [steps, done = 0]() mutable { return done++ >= steps; };
    return study.run(find(name), study.run_folder(name), Device::cpu, callbacks);
  }
};

std::set<std::string> files_of(const Dataset& dataset) {
  std::set<std::string> files;
  for (const ImageRecord& image : dataset.images) files.insert(image.file);
  return files;
}

void require_disjoint(const std::array<Dataset, 3>& splits, std::size_t pictures) {
  std::set<std::string> all;
  for (const Dataset& split : splits) all.merge(files_of(split));
  REQUIRE(all.size() == pictures);
  for (const std::string& file : all) REQUIRE(fs::exists(file));
}

std::array<Dataset, 3> read_all(const std::string& folder) {
  return {read_study_data(folder, kTrainSplit), read_study_data(folder, kTuneSplit),
          read_study_data(folder, kTestSplit)};
}

StudyData split_data(std::uint64_t seed) {
  StudyData data;
  data.kind = StudyData::Kind::split;
  data.sources[0] = {"shapes/instances_train.json", "shapes/images"};
  data.shares = {0.5, 0.25, 0.25};
  data.seed = seed;
  return data;
}

}  // namespace

TEST_CASE("synthetic splits share no picture") {
  const TinyStudy tiny;
  const std::array<Dataset, 3> splits = read_all(tiny.folder / "study/data");
  REQUIRE(splits[0].images.size() == 12);
  REQUIRE(splits[1].images.size() == 4);
  REQUIRE(splits[2].images.size() == 6);
  require_disjoint(splits, 22);
}

TEST_CASE("a set is divided by a seed") {
  const test::TemporaryFolder folder;
  write_shapes(folder / "shapes", 20, 1, {.size = 32, .min_object_size = 0.3f, .max_object_size = 0.6f, .empty = 0});
  const auto divided = [&](std::uint64_t seed, const std::string& out) {
    write_study_data(split_data(seed), folder.path(), folder / out, nullptr);
    return read_all(folder / out);
  };
  const std::array<Dataset, 3> splits = divided(1, "a");
  REQUIRE(splits[0].images.size() == 10);
  REQUIRE(splits[1].images.size() == 5);
  require_disjoint(splits, 20);
  REQUIRE(files_of(divided(1, "b")[0]) == files_of(splits[0]));
  REQUIRE(files_of(divided(2, "c")[0]) != files_of(splits[0]));
}

TEST_CASE("data that a study cannot use is refused") {
  const test::TemporaryFolder folder;
  write_shapes(folder / "shapes", 3, 3, {.size = 32, .min_object_size = 0.3f, .max_object_size = 0.6f, .empty = 0});
  const auto error = [&](const StudyData& data) {
    return error_of([&] { write_study_data(data, folder.path(), folder / "data", nullptr); });
  };
  StudyData data = split_data(1);
  data.shares = {0.98, 0.01, 0.01};
  REQUIRE(error(data) == "the tune split has no pictures");
  data.kind = StudyData::Kind::files;
  data.sources[1] = {"shapes/instances_val.json", "shapes/images"};
  data.sources[2] = {"shapes/instances_train.json", "shapes/../shapes/images"};
  REQUIRE(contains(error(data), "is in the train and in the test split"));
  data.sources[2] = {"none.json", ""};
  REQUIRE(contains(error(data), "none.json: no such file"));

  write_coco(folder / "empty.json",
             {shapes_categories(), {{.id = 1, .file = "x.png", .name = "x.png", .annotations = {}}}, {}});
  data.sources[2] = {"empty.json", ""};
  REQUIRE(error(data) == "the test split has no objects");
  REQUIRE_FALSE(fs::exists(folder / "data"));
}

TEST_CASE("a study goes without pictures that cannot be read, and says so") {
  const test::TemporaryFolder folder;
  write_shapes(folder / "shapes", 20, 1, {.size = 32, .min_object_size = 0.3f, .max_object_size = 0.6f, .empty = 0});
  write_study_data(split_data(1), folder.path(), folder / "whole", nullptr);
  const Dataset whole = read_study_data(folder / "whole", kTestSplit);
  test::write_bytes(whole.images[1].file, "no picture");
  const std::vector<std::string> warnings = write_study_data(split_data(1), folder.path(), folder / "data", nullptr);
  REQUIRE(warnings.size() == 1);
  REQUIRE(warnings[0].starts_with("1 of the 5 pictures of the test split cannot be read: "));
  const Dataset left = read_study_data(folder / "data", kTestSplit);
  REQUIRE(left.images.size() == 4);
  REQUIRE(left.images[0].file == whole.images[0].file);
  REQUIRE(left.images[1].file == whole.images[2].file);
  for (const ImageRecord& image : whole.images) test::write_bytes(image.file, "no picture");
  REQUIRE(contains(error_of([&] { write_study_data(split_data(1), folder.path(), folder / "none", nullptr); }),
                   "5 of the 5 pictures of the test split cannot be read: "));
}

TEST_CASE("splits agree on the numbers of their classes, whatever their files call them") {
  const test::TemporaryFolder folder;
  write_shapes(folder / "shapes", 3, 3, {.size = 32, .min_object_size = 0.3f, .max_object_size = 0.6f, .empty = 0});
  Dataset other = read_coco(folder / "shapes/instances_val.json", {.images = folder / "shapes/images"});
  other.categories = {{10, "triangle"}, {20, "square"}, {30, "circle"}};
  for (ImageRecord& image : other.images) {
    for (Annotation& a : image.annotations) {
      a.category = 2 - a.category;
      a.difficult = true;
    }
  }
  other.images[0].annotations[0].difficult = false;
  const std::string circle = other.categories[other.images[0].annotations[0].category].name;
  write_coco(folder / "tune.json", other);
  StudyData data;
  data.kind = StudyData::Kind::files;
  data.sources = {{{"shapes/instances_train.json", "shapes/images"}, {"tune.json", "shapes/images"}, {}}};
  write_shapes(folder / "more", 2, 0,
               {.size = 32, .min_object_size = 0.3f, .max_object_size = 0.6f, .empty = 0, .seed = 9});
  data.sources[2] = {"more/instances_train.json", "more/images"};
  write_study_data(data, folder.path(), folder / "data", nullptr);
  const Dataset tune = read_study_data(folder / "data", kTuneSplit);
  REQUIRE(tune.categories.size() == 3);
  REQUIRE(tune.categories[0].name == "circle");
  REQUIRE(tune.categories[tune.images[0].annotations[0].category].name == circle);
}

TEST_CASE("a study of tiny runs, one that diverges among them") {
  const TinyStudy tiny;
  for (std::vector<PlannedRun> ready; !(ready = ready_runs(tiny.study.protocol(), tiny.study.results())).empty();) {
    for (const PlannedRun& run : ready) tiny.run(run.name);
  }
  const RunResults results = tiny.study.results();
  REQUIRE(static_cast<std::int64_t>(results.size()) == number_of_runs(tiny.study.protocol()));
  for (const auto& [name, result] : results) {
    INFO(name);
    REQUIRE(result.name == name);
    REQUIRE(result.diverged == contains(name, "wild"));
    REQUIRE(result.iteration == (result.diverged ? 2 : 6));
    if (result.diverged) REQUIRE(result.stats == CocoNumbers{});
    // Only what later commands may want of the final runs is kept.
    REQUIRE(fs::exists(last_checkpoint(tiny.study.run_folder(name))) ==
            (name.starts_with("final") && !result.diverged));
  }
  tiny.study.write_results(results);
  const std::string csv = test::read_bytes(tiny.study.folder() + "/results.csv");
  REQUIRE(std::count(csv.begin(), csv.end(), '\n') == 1 + 12);
  REQUIRE(contains(csv, "final-wild-seed2," + tiny.study.hash() + ",final,wild,train.clip_norm=0,1e+30,2,1,2,0,"));
}

TEST_CASE("a run that was stopped goes on from its checkpoint and gives the same result") {
  const TinyStudy tiny;
  const std::string name = "tune-focal-2-seed101";
  const RunResult unbroken = tiny.run(name).value();
  fs::remove_all(tiny.study.run_folder(name));

  REQUIRE_FALSE(tiny.run(name, 3));
  REQUIRE(iterations_done(tiny.study.run_folder(name)) == 3);
  REQUIRE_FALSE(tiny.study.result(name));
  const RunResult resumed = tiny.run(name).value();
  REQUIRE(resumed.stats == unbroken.stats);
  REQUIRE(iterations_done(tiny.study.run_folder(name)) == 6);

  // Killed between the last step and the result: the weights are there, the evaluation is made again.
  fs::remove_all(tiny.study.run_folder(name));
  Trainer(run_config(tiny.study.protocol(), tiny.study.protocol().contestants[1],
                     tiny.study.protocol().contestants[1].configurations[1], 101),
          read_study_data(tiny.folder / "study/data", kTrainSplit), {}, tiny.study.run_folder(name))
      .run({});
  REQUIRE(tiny.run(name).value().stats == unbroken.stats);
}

TEST_CASE("a study on a stream trains on other pictures than its examples, and goes on where it was stopped") {
  const TinyStudy fixed, streamed(replaced(test::tiny_protocol(), "seed = 5\n", "seed = 5\nstream = true\n"));
  const std::string name = "tune-focal-2-seed101";
  const auto metrics = [&](const TinyStudy& study) {
    return read_metrics(study.study.run_folder(name)).over_iterations("classification_loss");
  };
  fixed.run(name);
  const RunResult unbroken = streamed.run(name).value();
  const auto losses = metrics(streamed);
  REQUIRE(losses != metrics(fixed));
  fs::remove_all(streamed.study.run_folder(name));
  REQUIRE_FALSE(streamed.run(name, 3));
  REQUIRE(streamed.run(name).value().stats == unbroken.stats);
  REQUIRE(metrics(streamed) == losses);
}

TEST_CASE("seeds decide runs, and contestants share what a seed decides") {
  const TinyStudy tiny(replaced(test::tiny_protocol(), "name = \"focal\"\nsettings = [\"loss.gamma=2\"]",
                                "name = \"twin\"\nsettings = [\"loss.kind=ce\"]"));
  const auto losses = [&](const std::string& name) {
    tiny.run(name);
    std::string metrics = test::read_bytes(tiny.study.run_folder(name) + "/metrics.csv"), column;
    std::istringstream lines(metrics);
    for (std::string line; std::getline(lines, line);) {
      for (int field = 0; field < 3; ++field) line.erase(0, line.find(',') + 1);
      column += line.substr(0, line.find(',')) + " ";
    }
    return column;
  };
  const std::string first = losses("tune-ce-1-seed101");
  REQUIRE(losses("tune-twin-1-seed101") == first);
  REQUIRE(losses("tune-ce-2-seed101") != first);
  for (const char* name : {"tune-ce-2-seed101", "tune-twin-2-seed101"}) tiny.run(name);
  REQUIRE(losses("final-ce-seed1") == losses("final-twin-seed1"));
  REQUIRE(losses("final-ce-seed1") != losses("final-ce-seed2"));
}

// The numbers are those of the kept weights on the test split.
TEST_CASE("a result has the calibration and the best F1 of its detections, where there are hits") {
  const TinyStudy tiny(replaced(test::tiny_protocol(), "iterations = 6", "iterations = 60"));
  for (const char* name : {"tune-ce-1-seed101", "tune-ce-2-seed101"}) tiny.run(name);
  const std::string name = "final-ce-seed1";
  tiny.run(name);
  const RunResult result = tiny.study.result(name).value();  // as it is read again
  const LoadedModel loaded = load_model(last_checkpoint(tiny.study.run_folder(name)), Device::cpu);
  const Dataset truth = read_study_data(tiny.folder / "study/data", kTestSplit);
  const CocoMatches matches = match_coco(truth, detect_all(*loaded.model, truth, loaded.category_ids, {}));
  const auto best = best_operating_points(matches).all;
  REQUIRE(best);
  REQUIRE(result.scores);
  CHECK(result.scores->ece == Approx(calibration(matches).ece).epsilon(1e-9));
  CHECK(result.scores->best_score == Approx(best->score).epsilon(1e-9));
  CHECK(result.scores->best_f1 == Approx(best->f1).epsilon(1e-9));
  tiny.study.write_results(tiny.study.results());
  CHECK(contains(test::read_bytes(tiny.study.folder() + "/results.csv"), ",ECE,best_score,best_F1,seconds\n"));
}

TEST_CASE("a result by another protocol is refused") {
  const TinyStudy tiny;
  fs::create_directories(tiny.study.run_folder("tune-ce-1-seed101"));
  const std::string file = tiny.study.run_folder("tune-ce-1-seed101") + "/result.json";
  test::write_bytes(file, R"({"protocol": "0123456789abcdef"})");
  REQUIRE(error_of([&] { tiny.study.results(); }) ==
          file + ": was made by the protocol 0123456789abcdef, not by this one, " + tiny.study.hash());
  test::write_bytes(file, "{");
  REQUIRE(error_of([&] { tiny.study.results(); }) == file + ": is no result of a run");
}

TEST_CASE("a study that cannot be made leaves no protocol behind") {
  const test::TemporaryFolder folder;
  const std::string impossible = replaced(test::tiny_protocol(), "object_size = [0.3, 0.6]", "object_size = [0.3, 6]");
  REQUIRE(contains(error_of([&] { TinyStudy::create(folder / "study", impossible); }), "no range within 0 and 1"));
  REQUIRE_FALSE(Study::exists(folder / "study"));
}
