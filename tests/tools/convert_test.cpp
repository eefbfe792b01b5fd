// diopter convert as users call it; what becomes of the weights is tested in tests/retinanet.
#include <filesystem>
#include <string>

#include "generated/source_dir.h"
#include "tests/tools/program.h"

using namespace diopter::test;
namespace fs = std::filesystem;

namespace {

/// A run of one step, whose checkpoint is what is converted.
struct Run {
  TemporaryFolder folder;
  std::string shapes = folder / "shapes", checkpoint = folder / "run/checkpoints/last.safetensors",
              out = folder / "out.safetensors";

  Run() {
    REQUIRE(run_diopter("shapes --out '" + shapes + "' --size 32 --train 2 --val 1").exit_code == 0);
    const Outcome trained = train("run", "");
    INFO(trained.err);
    REQUIRE(trained.exit_code == 0);
  }

  Outcome train(const std::string& name, const std::string& more) const {
    return run_diopter("train --train-annotations '" + shapes + "/instances_train.json' --train-images '" + shapes +
                       "/images' --out '" + (folder / name) + "' --set train.iterations=1 --set train.batch_size=1 " +
                       "--set input.max_size=32 --set input.min_sizes=[32] --set train.workers=0 " + more);
  }
  Outcome convert(const std::string& more) const {
    return run_diopter("convert '" + checkpoint + "' '" + out + "' " + more);
  }
};

}  // namespace

TEST_CASE("convert writes a checkpoint that detects and starts a run") {
  const Run run;
  const Outcome outcome = run.convert("--classes 5 --set detect.score_threshold=0.01");
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.out, run.checkpoint + ": Diopter RetinaNet with tiny, 3 classes\n"));
  REQUIRE(contains(outcome.out, "has other classes (3, not 5); the last classification layer starts afresh\n"));
  REQUIRE(contains(outcome.out, run.out + ": "));
  REQUIRE(run_diopter("detect --checkpoint '" + run.out + "' '" + run.shapes + "/images' --out '" +
                      (run.folder / "drawn") + "'")
              .exit_code == 0);
  const Outcome started = run.train("second", "--set model.weights='" + run.out + "'");
  REQUIRE(started.exit_code == 0);
  REQUIRE(contains(started.err, "warning: " + run.out + ": has none of the classes 'circle', "));
}

TEST_CASE("convert refuses what it cannot do, and writes nothing then") {
  const Run run;
  require_refused(run.convert("--to torchvision"),
                  run.checkpoint + ": torchvision has no such network: model.backbone is tiny");
  require_refused(run.convert("--to tensorflow"), "--to");
  require_refused(run.convert("--classes none.json"), "none.json");
  require_refused(run.convert("--preset papr"), "the nearest is paper");
  require_refused(run.convert("--set model.width=8"), "tensor backbone.body.");
  require_refused(run_diopter("convert none.pth '" + run.out + "'"), "none.pth: no such file");
  require_refused(run_diopter("convert '" + run.checkpoint + "'"), "out");
  require_refused(
      run_diopter("convert '" + run.checkpoint + "' '" + run.folder.path() + "/./run/checkpoints/last.safetensors'"),
      "is the file that is read");

  const std::string files = DIOPTER_SOURCE_DIR "/tests/golden/torch_files/";
  require_refused(run_diopter("convert " + files + "tensors.pth '" + run.out + "'"),
                  "tensors.pth: of no known network: its first tensor is bf16 [5]; ");
  const std::string evil = run.folder.write("evil.pkl",
                                            "\x80\x02"
                                            "cos\nsystem\nU\x04true\x85R.");
  require_refused(run_diopter("convert '" + evil + "' '" + run.out + "'"), evil + ": offset 2: asks for os.system; ");
  const std::string cut = run.folder.write("cut.pth", read_bytes(files + "tensors.pth").substr(0, 3000));
  require_refused(run_diopter("convert '" + cut + "' '" + run.out + "'"), cut + ": truncated at offset 3000");
  REQUIRE(!fs::exists(run.out));
}
