// A run that ends anywhere and goes on: Trainer::resume.
#include <filesystem>
#include <sstream>

#include "data/shapes_stream.h"
#include "engine/files/checkpoint.h"
#include "kernels/base/files.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "tests/retinanet/support.h"

using namespace diopter;
using test::contains;
using test::error_of;
using test::read_bytes;
using test::tiny_config;

namespace {

/// Norms with running statistics, a moving normaliser and averaged weights: everything that a step changes.
Config busy_config(const std::vector<std::string>& more = {}) {
  std::vector<std::string> settings{"model.norm=batch",   "loss.normaliser=ema",     "train.average=0.9",
                                    "train.accumulate=3", "train.evaluate_every=10", "train.save_every=4",
                                    "detect.batch_size=2"};
  settings.insert(settings.end(), more.begin(), more.end());
  return tiny_config(settings);
}

struct Runs {
  test::ShapesOnDisk shapes;
  std::string whole = shapes.folder / "whole", broken = shapes.folder / "broken";

  explicit Runs(const Config& config = busy_config()) : config_(config) { start(whole, {}); }

  Trainer::Result start(const std::string& folder, const TrainerCallbacks& callbacks) const {
    return Trainer(config_, shapes.train, shapes.validation, folder).run(callbacks);
  }
  Trainer::Result resume(const TrainerCallbacks& callbacks = {}) const {
    return Trainer::resume(broken, {}, shapes.train, shapes.validation)->run(callbacks);
  }
  /// The iterations of metrics.csv, evaluations with an e.
  static std::string rows(const std::string& folder) {
    std::istringstream text(read_bytes(metrics_file(folder)));
    std::string line, rows;
    std::getline(text, line);
    while (std::getline(text, line)) {
      const std::string iteration = line.substr(0, line.find(','));
      rows += iteration + (line.starts_with(iteration + ",,") ? "e " : " ");
    }
    return rows;
  }
  void require_equal() const {
    for (const char* file : {"checkpoints/last.safetensors", "checkpoints/best.safetensors", "evaluation.json",
                             "outcome.json", "config.toml"}) {
      INFO(file);
      CHECK((read_bytes(broken + "/" + file) == read_bytes(whole + "/" + file)));
    }
    CHECK(rows(broken) == rows(whole));
    const auto best_ap = [](const std::string& file) { return load_checkpoint(file).metadata.at("best_ap"); };
    CHECK(best_ap(best_checkpoint(whole)) == best_ap(last_checkpoint(whole)));
  }

 private:
  Config config_;
};

}  // namespace

TEST_CASE("resume: an evaluation that was cut short is made") {
  // By its pictures; in the middle of the schedule and at its end.
  for (const int evaluation : {1, 2}) {
    INFO("evaluation " << evaluation);
    const Runs runs;
    TrainerCallbacks crash;
    crash.evaluation = [&, begun = 0](std::int64_t done, std::int64_t) mutable {
      begun += done == 2;
      if (begun == evaluation) fail("power cut");
    };
    CHECK(error_of([&] { runs.start(runs.broken, crash); }) == "power cut");
    const Trainer::Result result = runs.resume();
    CHECK(result.finished);
    CHECK(result.evaluated);
    runs.require_equal();
  }
}

TEST_CASE("resume: an evaluation whose files are written, but not the checkpoint that knows of it, is made again") {
  const Runs runs;
  // What is left: all of the evaluation, and the checkpoint from before it.
  std::string before;
  TrainerCallbacks crash;
  crash.evaluation = [&](std::int64_t, std::int64_t) { before = read_bytes(last_checkpoint(runs.broken)); };
  crash.evaluated = [&] { fail("power cut"); };
  CHECK(error_of([&] { runs.start(runs.broken, crash); }) == "power cut");
  CHECK(read_bytes(last_checkpoint(runs.broken)) != before);
  test::write_bytes(last_checkpoint(runs.broken), before);
  CHECK(Runs::rows(runs.broken) == "5 10 10e ");
  CHECK(runs.resume().finished);
  runs.require_equal();
}

TEST_CASE("resume: a run that was finished makes no evaluation again") {
  const Runs runs;
  runs.start(runs.broken, {});
  TrainerCallbacks callbacks;
  callbacks.evaluation = [](std::int64_t, std::int64_t) { fail("no more"); };
  const Trainer::Result result = runs.resume(callbacks);
  CHECK(result.finished);
  CHECK_FALSE(result.evaluated);
  runs.require_equal();
}

TEST_CASE("resume: a stop within an evaluation leaves it for later") {
  const Runs runs;
  std::int64_t iteration = 0, stop_at = 10;
  bool evaluating = false;
  TrainerCallbacks stop;
  stop.step = [&](const StepReport& step) { iteration = step.iteration; };
  stop.evaluation = [&](std::int64_t, std::int64_t) { evaluating = iteration == stop_at; };
  stop.stop_requested = [&] { return evaluating; };
  const auto check = [&](const Trainer::Result& result) {
    CHECK(result.iteration == stop_at);
    CHECK_FALSE(result.finished);
    CHECK_FALSE(result.evaluated);
    CHECK(read_outcome(runs.broken)->state == "stopped");
  };
  check(runs.start(runs.broken, stop));
  stop_at = 20;
  evaluating = false;
  check(runs.resume(stop));
  CHECK(runs.resume().evaluated);
  runs.require_equal();
}

TEST_CASE("resume: a stop between the batches of a step takes the step back") {
  const Runs runs;
  int polled = 0;
  TrainerCallbacks stop;
  // Three polls a step: before it and between its batches.
  stop.stop_requested = [&] { return ++polled > 3 * 5 + 2; };
  Trainer trainer(busy_config(), runs.shapes.train, runs.shapes.validation, runs.whole + "2");
  const Trainer::Result result = trainer.run(stop);
  CHECK(result.iteration == 5);
  CHECK_FALSE(result.finished);
  // In this process, from where it stopped.
  CHECK(trainer.run({}).finished);
  CHECK((read_bytes(last_checkpoint(runs.whole + "2")) == read_bytes(last_checkpoint(runs.whole))));

  polled = 0;
  CHECK(runs.start(runs.broken, stop).iteration == 5);
  CHECK(runs.resume().finished);
  runs.require_equal();
}

TEST_CASE("resume: a checkpoint can be asked for at any time") {
  const Runs runs;
  bool asked = false;
  TrainerCallbacks callbacks;
  callbacks.save_requested = [&] { return std::exchange(asked, false); };
  callbacks.step = [&](const StepReport& step) {
    asked = step.iteration == 5;  // heard after the next step
    if (step.iteration == 7) fail("power cut");
  };
  CHECK(error_of([&] { runs.start(runs.broken, callbacks); }) == "power cut");
  CHECK(load_checkpoint(last_checkpoint(runs.broken)).metadata.at("iteration") == "6");
  runs.resume();
  runs.require_equal();
}

TEST_CASE("resume: a run on a stream goes on with the pictures that it would have seen, and not without the stream") {
  Runs runs;
  std::filesystem::remove_all(runs.whole);
  runs.shapes.train.stream = shapes_stream({.size = 32, .min_object_size = 0.3f});
  runs.start(runs.whole, {});
  TrainerCallbacks stop;
  int polled = 0;
  stop.stop_requested = [&] { return ++polled > 3 * 5; };
  CHECK_FALSE(runs.start(runs.broken, stop).finished);
  const std::shared_ptr<const PictureStream> stream = std::exchange(runs.shapes.train.stream, nullptr);
  CHECK(contains(error_of([&] { runs.resume(); }), "the run has seen another training set"));
  runs.shapes.train.stream = stream;
  CHECK(runs.resume().finished);
  runs.require_equal();
}

TEST_CASE("resume: other data than before is refused, and a checkpoint that does not know the data says so") {
  const Runs runs;
  const std::string file = last_checkpoint(runs.whole), before = read_bytes(file);
  const auto error = [&](const auto& change) {
    Dataset train = runs.shapes.train, validation = runs.shapes.validation;
    change(train, validation);
    return error_of([&] { Trainer::resume(runs.whole, {}, train, validation); });
  };
  CHECK(contains(error([](Dataset& train, Dataset&) { train.images.pop_back(); }),
                 file + ": the run has seen another training set"));
  CHECK(contains(error([](Dataset& train, Dataset&) { train.images[0].annotations[0].rect.w += 1; }),
                 file + ": the run has seen another training set"));
  CHECK(contains(error([](Dataset&, Dataset& validation) { validation.images.pop_back(); }),
                 file + ": the run has seen another validation set"));
  CHECK(error([](Dataset&, Dataset& validation) { validation = {}; }) == "");
  CHECK((read_bytes(file) == before));

  Checkpoint old = load_checkpoint(file);
  for (const char* key : {"evaluated", "data", "validation_data"}) old.metadata.erase(key);
  save_checkpoint(file, old);
  std::vector<std::string> messages;
  TrainerCallbacks callbacks;
  callbacks.message = [&](const std::string& message) { messages.push_back(message); };
  Dataset other = runs.shapes.train;
  other.images.pop_back();
  CHECK(Trainer::resume(runs.whole, {}, other, runs.shapes.validation)->run(callbacks).finished);
  REQUIRE(messages.size() == 1);
  CHECK(contains(messages[0], "cannot be checked"));
}

TEST_CASE("resume: temporary files of killed runs are removed, of new ones, too") {
  const Runs runs;
  for (const char* name : {"whole/diopter.tmp1", "whole/checkpoints/last.safetensors.tmp77", "whole/pictures/x.tmp3-2",
                           "whole/errors/diopter.tmp1", "broken/checkpoints/diopter.tmp1"}) {
    runs.shapes.folder.write(name, "x");
  }
  Trainer::resume(runs.whole, {}, runs.shapes.train, runs.shapes.validation);
  runs.start(runs.broken, {});
  for (const std::string& folder : {runs.whole, runs.broken}) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      INFO(entry.path());
      CHECK_FALSE(contains(entry.path().filename(), ".tmp"));
    }
  }
}

TEST_CASE("resume: a folder is for one trainer at a time") {
  const Runs runs;
  const auto resume = [&] { return Trainer::resume(runs.whole, {}, runs.shapes.train, runs.shapes.validation); };
  auto first = resume();
  CHECK(error_of(resume) == runs.whole + ": another process works on it");
  CHECK(error_of([&] { runs.start(runs.whole, {}); }) == runs.whole + ": another process works on it");
  first.reset();
  CHECK(error_of(resume) == "");
}

TEST_CASE("resume: the configuration is shown before anything is made of it") {
  const Runs runs;
  const auto refuse = [](const Trainer::Resumption& next) { fail("batches of ", next.config.train.batch_size); };
  CHECK(error_of([&] {
          Trainer::resume(runs.whole, {"train.batch_size=9"}, runs.shapes.train, runs.shapes.validation, Device::cpu,
                          refuse);
        }) == "batches of 9");
}

TEST_CASE("resume: changed settings are told and noted, with the iteration from which they hold") {
  const Runs runs;
  const auto messages = [&](const Settings& settings) {
    std::vector<std::string> all;
    TrainerCallbacks callbacks;
    callbacks.message = [&](const std::string& message) { all.push_back(message); };
    Trainer::resume(runs.whole, settings, runs.shapes.train, runs.shapes.validation)->run(callbacks);
    return all;
  };
  const std::string config = read_bytes(config_file(runs.whole));
  CHECK(messages({"train.workers=2", "train.lr=0.05"}).empty());  // what it has
  CHECK(read_bytes(config_file(runs.whole)) == config);
  // Its steps down at 0.7 and 0.9 of the length are taken back.
  CHECK(messages({"train.iterations=24"}) ==
        std::vector<std::string>{"from now on train.iterations = 24 (20 before)",
                                 "the learning rate goes on at 0.005 instead of 0.0005"});
  const std::string length = "# From iteration 20 on: train.iterations = 24 (20 before)\n",
                    rule = "# From iteration 24 on: loss.box = 'l1' (";
  CHECK(read_bytes(config_file(runs.whole)).starts_with(length + "[model]\n"));
  CHECK(messages({"loss.box=l1", "train.iterations=26"}).size() == 2);
  CHECK(read_bytes(config_file(runs.whole)).starts_with(length + rule));
  CHECK(messages({}).empty());
  CHECK(read_bytes(config_file(runs.whole)).starts_with(length + rule));

  std::vector<SettingChange> shown;
  const auto look = [&](const Trainer::Resumption& next) { shown = next.changes; };
  Trainer::resume(runs.whole, {"train.lr=0.5"}, runs.shapes.train, {}, Device::cpu, look);
  CHECK(shown == std::vector<SettingChange>{{26, "train.lr", "0.05", "0.5"}});
}

TEST_CASE("steps that cannot be meant are refused") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  const std::string message = error_of([&] {
    Trainer(tiny_config({"train.batch_size=60000", "train.accumulate=60000"}), shapes.train, {}, folder);
  });
  CHECK(contains(message, "train.batch_size = 60000 and train.accumulate = 60000 make steps of 3600000000 pictures"));
  CHECK_FALSE(std::filesystem::exists(folder));
}
