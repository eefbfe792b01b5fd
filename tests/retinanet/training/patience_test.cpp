#include "retinanet/training/patience.h"

#include "engine/files/checkpoint.h"
#include "retinanet/config/presets.h"
#include "retinanet/training/evaluation_file.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;
using test::contains;
using test::tiny_config;

namespace {

const Schedule kSteps{.kind = Schedule::Kind::multistep, .base = 0.1, .iterations = 100, .milestones = {50, 80}};

RunState state_at(std::int64_t iteration, int patience) {
  RunState state;
  state.config = preset("small");
  state.config.train.iterations = 100;
  state.config.train.patience = patience;
  state.iteration = iteration;
  state.best_ap = 0.25;
  return state;
}

/// A rate at which nothing is learned: no evaluation is better than the first.
Config idle_config(const std::vector<std::string>& more = {}) {
  std::vector<std::string> settings = {
      "train.lr=1e-30",           "train.iterations=40",       "train.evaluate_every=2",       "train.patience=2",
      "train.schedule=multistep", "train.warmup_iterations=0", "train.milestones=[0.5, 0.75]", "train.average=0.9"};
  settings.insert(settings.end(), more.begin(), more.end());
  return tiny_config(settings);
}

}  // namespace

TEST_CASE("patience counts evaluations in a row that are not better") {
  RunState state = state_at(10, 2);
  CHECK(note_evaluation(state, kSteps, false).empty());
  CHECK(state.stale == 1);
  CHECK(note_evaluation(state, kSteps, true).empty());
  CHECK(state.stale == 0);
  CHECK(note_evaluation(state, kSteps, false).empty());
  CHECK(state.left_out == 0);
  CHECK(note_evaluation(state, kSteps, false) ==
        "train.patience = 2: no evaluation since has had an AP of more than 25.0; the learning rate falls from 0.1 to "
        "0.01 now: 40 iterations of the schedule are left out");
  CHECK(state.left_out == 40);
  CHECK(state.stale == 0);
}

TEST_CASE("patience takes every decay that is left, and then the end") {
  RunState state = state_at(10, 1);
  note_evaluation(state, kSteps, false);
  CHECK(state.iteration + state.left_out == 50);
  state.iteration = 15;  // place 55
  note_evaluation(state, kSteps, false);
  CHECK(state.iteration + state.left_out == 80);
  state.iteration = 20;
  CHECK(contains(note_evaluation(state, kSteps, false), "training ends at a learning rate of 0.001: 15 iterations"));
  CHECK(state.iteration + state.left_out == 100);
  CHECK(left_out_text(state) == "train.patience left out 80 of the schedule's 100 iterations");
  CHECK(note_evaluation(state, kSteps, false).empty());  // it is at its end
  CHECK(state.left_out == 80);
}

TEST_CASE("patience of 0 notes nothing, and a schedule without milestones just ends") {
  RunState state = state_at(10, 0);
  CHECK(note_evaluation(state, kSteps, false).empty());
  CHECK(state.stale == 0);
  CHECK(left_out_text(state).empty());

  state.config.train.patience = 1;
  Schedule cosine = kSteps;
  cosine.kind = Schedule::Kind::cosine;
  CHECK(contains(note_evaluation(state, cosine, false), "training ends"));
  CHECK(state.left_out == 90);
}

TEST_CASE("a run without progress goes through its decays and ends early, interrupted or not") {
  const test::ShapesOnDisk shapes;
  const std::string whole = shapes.folder / "whole", broken = shapes.folder / "broken";
  std::vector<double> rates;
  std::vector<std::string> notes;
  TrainerCallbacks callbacks;
  callbacks.step = [&](const StepReport& step) { rates.push_back(step.lr * 1e30); };
  callbacks.note = [&](const std::string& note) { notes.push_back(note); };
  const Trainer::Result result = Trainer(idle_config(), shapes.train, shapes.validation, whole).run(callbacks);
  CHECK(result.finished);
  CHECK(result.iteration == 14);  // the first evaluation after 2 is the best; then 2 more for each of three stages
  REQUIRE(rates.size() == 14);
  for (int i = 0; i < 14; ++i) {
    INFO("step " << i + 1);
    CHECK(rates[i] == Approx(i < 6 ? 1 : i < 10 ? 0.1 : 0.01));
  }
  CHECK(notes.size() == 7 + 3);
  CHECK(read_outcome(whole)->message == "train.patience left out 26 of the schedule's 40 iterations");

  CHECK_FALSE(Trainer(idle_config({"train.stop_at=9"}), shapes.train, shapes.validation, broken).run({}).finished);
  auto resumed = Trainer::resume(broken, {}, shapes.train, shapes.validation);
  CHECK(resumed->run({}).finished);
  CHECK(resumed->iteration() == 14);
  const Checkpoint a = load_checkpoint(last_checkpoint(whole)), b = load_checkpoint(last_checkpoint(broken));
  for (const char* key : {"iteration", "evaluated", "best_ap", "left_out"})
    CHECK(a.metadata.at(key) == b.metadata.at(key));
  for (const auto& [name, tensor] : a.tensors) {
    INFO(name);
    CHECK((tensor.to_vector<float>() == b.tensors.at(name).to_vector<float>()));
  }
  resumed.reset();  // and with it the lock; there is nothing left to do
  CHECK(Trainer::resume(broken, {}, shapes.train, shapes.validation)->run({}).iteration == 14);
}
