// diopter train, as a user calls it: which loss it trains with.
#include <string>

#include "tests/tools/program.h"

using namespace diopter::test;

namespace {

/// A data set of a few pictures, and the arguments that train two steps on it.
class Shapes {
 public:
  Shapes() { REQUIRE(run_diopter("shapes --train 4 --val 1 --size 32 --out " + (folder_ / "shapes")).exit_code == 0); }
  std::string run_folder() const { return folder_ / "run"; }
  std::string arguments(const std::string& more) const {
    return "train --device cpu --train-annotations " + (folder_ / "shapes/instances_train.json") + " --train-images " +
           (folder_ / "shapes/images") + " --out " + run_folder() +
           " --set model.width=4 --set model.groups=4 --set model.fpn_channels=8 --set train.iterations=2"
           " --set train.batch_size=2 " +
           more;
  }
  std::string config() const { return read_bytes(run_folder() + "/config.toml"); }

 private:
  TemporaryFolder folder_;
};

}  // namespace

TEST_CASE("train: --loss and --prior are settings like others, and a resumed run keeps them") {
  const Shapes shapes;
  const std::string options = "--loss focal_star:gamma=3 --prior 0.05 --set loss.beta=-1";
  const Outcome run = run_diopter(shapes.arguments(options + " --set train.stop_at=1"));
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  const std::string first = shapes.config();
  REQUIRE(contains(first, "focal_star"));
  for (const std::string line : {"gamma = 3.0\n", "beta = -1.0\n", "alpha = 0.25\n", "prior = 0.05\n"}) {
    REQUIRE(contains(first, "\n" + line));
  }
  REQUIRE(run_diopter(shapes.arguments(options + " --resume")).exit_code == 0);
  REQUIRE(contains(shapes.config(), "\nbeta = -1.0\n"));
}

TEST_CASE("train: a loss that cannot be used is refused in one line, and nothing is written") {
  const Shapes shapes;
  require_refused(run_diopter(shapes.arguments("--loss focla")), "unknown loss focla; the nearest is focal");
  require_refused(run_diopter(shapes.arguments("--loss focal:gama=1")), "unknown parameter gama of focal");
  require_refused(run_diopter(shapes.arguments("--loss focal:gamma=-1")), "gamma must lie between 0 and 10");
  require_refused(run_diopter(shapes.arguments("--loss ohem:batch=1.5")), "batch must be a whole number");
  require_refused(run_diopter(shapes.arguments("--loss ce --set loss.alpha=1")), "loss.kind is ce");
  require_refused(run_diopter(shapes.arguments("--prior 1")), "model.prior must lie between 0 and 1");
  require_refused(run_diopter(shapes.arguments("--prior much")), "model.prior must be a number");
  REQUIRE_FALSE(std::filesystem::exists(shapes.run_folder()));
}

TEST_CASE("train: help and info list the losses") {
  for (const std::string command : {"train --help", "info"}) {
    const std::string out = run_diopter(command).out;
    INFO(out);
    for (const std::string name : {"balanced_ce", "ce", "focal", "focal_star", "hinge", "ohem", "ohem13"}) {
      REQUIRE(contains(out, "\n  " + name + " "));
    }
    REQUIRE(contains(out, "Lin et al. 2017, equation 5\n    gamma "));
  }
}

TEST_CASE("train: --profile writes its files, and without it there are none") {
  const Shapes shapes;
  const auto exists = [&](const std::string& name) {
    return std::filesystem::exists(shapes.run_folder() + "/" + name);
  };
  require_refused(run_diopter(shapes.arguments("--profile 0")), "--profile");
  require_refused(run_diopter(shapes.arguments("--profile x")), "--profile");
  require_refused(run_diopter(shapes.arguments("--profile -3")), "--profile");
  REQUIRE_FALSE(std::filesystem::exists(shapes.run_folder()));

  const Outcome too_short = run_diopter(shapes.arguments("--profile 2"));
  INFO(too_short.err);
  REQUIRE(too_short.exit_code == 0);
  REQUIRE(contains(too_short.out, "nothing to profile"));
  for (const char* name : {"profile.txt", "profile.csv", "trace.json"}) REQUIRE_FALSE(exists(name));

  const Outcome run = run_diopter(shapes.arguments("--resume --set train.iterations=9 --profile 2"));
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  const std::string table = read_bytes(shapes.run_folder() + "/profile.txt");
  REQUIRE(contains(table, "\nstep, 2 times: "));
  REQUIRE(contains(run.out, table));
  const std::string csv = read_bytes(shapes.run_folder() + "/profile.csv");
  REQUIRE(contains(csv, "\nstep,forward,conv2d_forward,head.classification_head.cls_logits.weight,2,"));
  REQUIRE(read_bytes(shapes.run_folder() + "/trace.json").starts_with("{\"traceEvents\":["));
}
