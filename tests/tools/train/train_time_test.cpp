// diopter train: how long it trains, by wall time or progress, and at which rate.
#include <filesystem>
#include <string>

#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// A small set and the arguments of a small network.
struct Shapes {
  TemporaryFolder folder;
  std::string run = folder / "run";

  Shapes() { REQUIRE(run_diopter("shapes --train 6 --val 2 --size 32 --out " + (folder / "shapes")).exit_code == 0); }
  Outcome train(const std::string& more) const {
    const std::string shapes = folder / "shapes";
    return run_diopter("train --device cpu --no-doctor --train-annotations " + shapes +
                       "/instances_train.json --train-images " + shapes + "/images --val-annotations " + shapes +
                       "/instances_val.json --val-images " + shapes + "/images --out " + run +
                       " --set model.width=4 --set model.groups=4 --set model.fpn_channels=8 --set train.batch_size=2"
                       " --set train.pictures=0 " +
                       more);
  }
  std::string config() const { return read_bytes(run + "/config.toml"); }
};

std::string line_of(const std::string& text, const std::string& key) {
  const std::size_t begin = text.find("\n" + key + " = ");
  REQUIRE(begin != std::string::npos);
  return text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
}

}  // namespace

TEST_CASE("train: --minutes fixes the iterations once, and a resumed run keeps them") {
  const Shapes shapes;
  const Outcome run = shapes.train("--minutes 0.06 --set train.stop_at=1");
  INFO(run.out << run.err);
  REQUIRE(run.exit_code == 0);
  REQUIRE(contains(shapes.config(), "\nminutes = 0.06\n"));
  const std::string iterations = line_of(shapes.config(), "iterations");
  REQUIRE(contains(run.out, "train.minutes = 0.06: train." + iterations + ", with "));

  require_refused(shapes.train("--minutes 0.05 --resume"), "have become train.iterations");
  require_refused(shapes.train("--minutes 0.06 --set train.iterations=3"), "exclude each other");
  require_refused(shapes.train("--minutes 0.06 --epochs 3"), "exclude each other");
  const Outcome resumed = shapes.train("--minutes 0.06 --preset small --resume --set train.stop_at=2");
  INFO(resumed.out << resumed.err);
  REQUIRE(resumed.exit_code == 0);
  REQUIRE(line_of(shapes.config(), "iterations") == iterations);
  const Outcome longer =
      shapes.train("--set train.minutes=0 --set train.iterations=3 --set train.warmup_iterations=50 --resume");
  INFO(longer.out << longer.err);
  REQUIRE(longer.exit_code == 0);
  REQUIRE(contains(longer.out, "finished at iteration 3"));
}

TEST_CASE("train: minutes in which nothing fits are refused") {
  const Shapes shapes;
  require_refused(shapes.train("--minutes 1e-9"), "not even one step and one evaluation fit");
  REQUIRE_FALSE(std::filesystem::exists(shapes.run));
}

TEST_CASE("train: --patience says what it leaves out, and the report has it") {
  const Shapes shapes;
  const Outcome run = shapes.train(
      "--patience 1 --lr 1e-30 --set train.iterations=40 --set train.evaluate_every=2 "
      "--set train.schedule=multistep");
  INFO(run.out << run.err);
  REQUIRE(run.exit_code == 0);
  REQUIRE(contains(run.err, "diopter: train.patience = 1: no evaluation since"));
  REQUIRE(contains(run.err, "training ends at a learning rate of"));
  REQUIRE(contains(run.err, "diopter: evaluation at iteration 2: AP "));
  REQUIRE(contains(run.out, "finished at iteration 8"));
  REQUIRE(contains(read_bytes(shapes.run + "/report.html"),
                   "Finished after 8 iterations: train.patience left out 32 of the schedule&#39;s 40 iterations."));
}

TEST_CASE("train: --find-lr writes a curve and proposes a rate, and leaves a run alone") {
  const Shapes shapes;
  REQUIRE(shapes.train("--set train.iterations=1").exit_code == 0);
  const std::string before = read_bytes(shapes.run + "/checkpoints/last.safetensors"), config = shapes.config();
  const Outcome test = shapes.train("--find-lr");
  INFO(test.out << test.err);
  REQUIRE(test.exit_code == 0);
  REQUIRE(contains(test.out, "proposal: --lr "));
  REQUIRE(read_bytes(shapes.run + "/lr_range.csv").starts_with("lr,loss,smoothed\n"));
  const std::string picture = read_bytes(shapes.run + "/lr_range.svg");
  REQUIRE(picture.starts_with("<svg "));
  REQUIRE(contains(picture, "learning rate"));
  REQUIRE(read_bytes(shapes.run + "/checkpoints/last.safetensors") == before);
  REQUIRE(shapes.config() == config);
  require_refused(shapes.train("--find-lr --resume"), "--find-lr looks for the rate of a new run");
}
