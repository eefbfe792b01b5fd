// The event files of `diopter train`, read by the Python package tensorboard where it is installed.
#include <cstdlib>
#include <string>

#include "engine/tensorboard/event_file.h"
#include "generated/source_dir.h"
#include "tests/tools/program.h"

using namespace diopter;
using namespace diopter::test;

namespace {

Outcome train_for_events(const std::string& folder) {
  REQUIRE(run_diopter("shapes --train 8 --val 4 --size 32 --out '" + folder + "/shapes'").exit_code == 0);
  const std::string shapes = folder + "/shapes";
  return run_diopter("train --preset small --train-annotations '" + shapes + "/instances_train.json' --train-images '" +
                     shapes + "/images' --val-annotations '" + shapes + "/instances_val.json' --val-images '" + shapes +
                     "/images' --out '" + folder +
                     "/run' --set train.tensorboard=true train.iterations=4 train.batch_size=2 train.log_every=1 "
                     "train.evaluate_every=2 train.pictures=1 'input.min_sizes=[32]' input.max_size=32");
}

}  // namespace

TEST_CASE("tensorboard reads numbers, pictures and curves of a training run") {
  const char* named = std::getenv("DIOPTER_TEST_PYTHON");
  const std::string python = named ? named : "python3";
  if (!writes_event_files()) {
    skip("built without protobuf");
    return;
  }
  if (run_shell("'" + python + "' -c 'import tensorboard'").exit_code != 0) {
    skip(python + " has no tensorboard (DIOPTER_TEST_PYTHON names another)");
    return;
  }
  const TemporaryFolder folder;
  const Outcome trained = train_for_events(folder.path());
  INFO(trained.err);
  REQUIRE(trained.exit_code == 0);
  const Outcome read =
      run_shell("'" + python + "' -B '" DIOPTER_SOURCE_DIR "/tests/tools/train/tensorboard_reads.py' '" +
                folder.path() + "/run'");
  INFO(read.out << read.err);
  REQUIRE(read.exit_code == 0);
}

TEST_CASE("a build without protobuf refuses train.tensorboard before the first step") {
  if (writes_event_files()) {
    skip("built with protobuf");
    return;
  }
  const TemporaryFolder folder;
  const Outcome trained = train_for_events(folder.path());
  REQUIRE(trained.exit_code == 2);
  REQUIRE(contains(trained.err, "built without protobuf"));
}
