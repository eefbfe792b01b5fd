// diopter train, as a user calls it: which loss it trains with.
#include <string>

#include "kernels/base/json.h"
#include "tests/tools/program.h"

using namespace diopter;
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
  /// With the folder of the pictures.
  std::string annotations() const {
    return (folder_ / "shapes/instances_train.json") + " --train-images " + (folder_ / "shapes/images");
  }
  std::string doctor(const std::string& more) const {
    return "doctor --annotations " + (folder_ / "shapes/instances_train.json") + " --images " +
           (folder_ / "shapes/images") +
           " --set model.width=4 --set model.groups=4 --set model.fpn_channels=8 --set train.batch_size=2 " + more;
  }
  std::string recipe() const { return folder_ / "shapes/shapes.json"; }
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

TEST_CASE("train: --epochs, --lr and --batch are settings, and a resumed run keeps them") {
  const Shapes shapes;  // four pictures
  const std::string options = "--epochs 2.5 --lr 0.02 --batch 3";
  const auto train = [&](const std::string& more) {
    return run_diopter("train --device cpu --train-annotations " + shapes.annotations() + " --out " +
                       shapes.run_folder() + " " + more);
  };
  const Outcome run = train(options + " --set train.stop_at=2");
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  for (const std::string line : {"iterations = 4\n", "lr = 0.02\n", "batch_size = 3\n"}) {  // 10 pictures
    INFO(line);
    REQUIRE(contains(shapes.config(), "\n" + line));
  }
  const Outcome resumed = train(options + " --resume");
  INFO(resumed.err);
  REQUIRE(resumed.exit_code == 0);
  REQUIRE(contains(resumed.out, "finished at iteration 4"));
  require_refused(train("--epochs 2 --set train.iterations=5"),
                  "--epochs and --set train.iterations exclude each other");
  require_refused(train("--epochs 0"), "--epochs");
  require_refused(train("--batch 0"), "--batch");
  require_refused(train("--epochs 1e30"), "--epochs 1e+30: too many");
}

TEST_CASE("train: --stream makes pictures itself, none twice, and a resumed run goes on with them") {
  const Shapes shapes;
  const std::string recipe = " --stream " + shapes.recipe();
  const Outcome run = run_diopter(shapes.arguments("--set train.stop_at=1 --set train.log_every=1" + recipe));
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  REQUIRE(contains(run.out, "streaming: no picture twice"));
  REQUIRE(contains(read_bytes(shapes.run_folder() + "/report.html"), "no picture twice"));
  require_refused(run_diopter(shapes.arguments("--resume")), "another training set");
  REQUIRE(run_diopter(shapes.arguments("--resume --set train.log_every=1" + recipe)).exit_code == 0);
  require_refused(run_diopter(shapes.arguments("--epochs 2" + recipe)), "--stream has no epochs");
  require_refused(run_diopter(shapes.arguments("--stream " + shapes.run_folder() + "/config.toml")),
                  "is no shapes.json");
  const std::string other = shapes.run_folder() + "/other.json";
  write_bytes(other, R"({"diopter_shapes": {"forms": 4}})");
  require_refused(run_diopter(shapes.arguments("--stream " + other)), "other classes");
}

TEST_CASE("train: the report says what was left out of the data") {
  const TemporaryFolder folder;
  REQUIRE(run_diopter("shapes --train 3 --val 1 --size 32 --out " + (folder / "s")).exit_code == 0);
  write_bytes(folder / "s/a.csv",
              "image,x1,y1,x2,y2,class\nimages/000001.png,2,2,20,20,a\nimages/000001.png,20,20,10,30,a\n"
              "images/000002.png,2,2,20,20,a\nimages/gone.png,2,2,20,20,a\n");
  const Outcome run = run_diopter("train --device cpu --train-annotations " + (folder / "s/a.csv") + " --out " +
                                  (folder / "run") + " --set train.iterations=1 --set train.batch_size=1");
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  const std::string report = read_bytes(folder / "run/report.html");
  for (const std::string text : {"training, left out", "box of zero or negative width or height: 1 left out (line 3)",
                                 "training, not read", "gone.png: no such file"}) {
    INFO(text);
    REQUIRE(contains(report, text));
  }
  REQUIRE_FALSE(contains(report, "training, noted"));
}

TEST_CASE("train: --prior balance is what doctor states, and the configuration has the number, and --resume keeps it") {
  const Shapes shapes;
  const TemporaryFolder folder;
  const Outcome run = run_diopter(shapes.arguments("--prior balance --set train.stop_at=1"));
  INFO(run.err);
  REQUIRE(run.exit_code == 0);
  const std::string config = shapes.config();
  REQUIRE(run_diopter(shapes.doctor("--json " + folder.path("doctor.json"))).exit_code == 0);
  const auto report = parse_json(read_bytes(folder.path("doctor.json")));
  REQUIRE(report.at("imbalance").get<double>() > 10);
  const double prior = report.at("balanced_priors").at(0).at("prior").get<double>();
  REQUIRE(report.at("balanced_priors").at(0).at("loss").get<std::string>().starts_with("focal:gamma=2"));
  const std::size_t line = config.find("\nprior = ");
  REQUIRE(line != std::string::npos);
  REQUIRE(std::stod(config.substr(line + 9)) == prior);
  REQUIRE(contains(run.out, "model.prior = balance: "));

  const Outcome resumed = run_diopter(shapes.arguments("--prior balance --resume"));
  INFO(resumed.err);
  REQUIRE(resumed.exit_code == 0);
  REQUIRE(std::stod(shapes.config().substr(line + 9)) == prior);
}

TEST_CASE("train: a loss that cannot be used is refused in one line, and nothing is written") {
  const Shapes shapes;
  require_refused(run_diopter(shapes.arguments("--loss focla")), "unknown loss focla; the nearest is focal");
  require_refused(run_diopter(shapes.arguments("--loss focal:gama=1")), "unknown parameter gama of focal");
  require_refused(run_diopter(shapes.arguments("--loss focal:gamma=-1")), "gamma must lie between 0 and 10");
  require_refused(run_diopter(shapes.arguments("--loss ohem:batch=1.5")), "batch must be a whole number");
  require_refused(run_diopter(shapes.arguments("--loss ce --set loss.alpha=1")), "loss.kind is ce");
  require_refused(run_diopter(shapes.arguments("--prior 1")), "model.prior must lie between 0 and 1");
  require_refused(run_diopter(shapes.arguments("--prior much")),
                  "model.prior must be a number, a list of numbers, balance or data");
  REQUIRE_FALSE(std::filesystem::exists(shapes.run_folder()));
}

TEST_CASE("train: help and info list the losses") {
  for (const std::string command : {"train --help", "info"}) {
    const std::string out = run_diopter(command).out;
    INFO(out);
    for (const std::string name : {"asymmetric", "balanced_ce", "ce", "equalized_focal", "focal", "focal_star", "ghm",
                                   "hinge", "ohem", "ohem13", "poly", "quality_focal", "varifocal"}) {
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

namespace {

/// Starts a training of many steps in a shell, does `what` (a command, which finds the process as $pid) when it has a
/// checkpoint, and waits; the last line on stdout is the program's exit code.
Outcome meanwhile(const Shapes& shapes, const std::string& what, const std::string& more = "") {
  const std::string last = shapes.run_folder() + "/checkpoints/last.safetensors";
  return run_shell("'" DIOPTER_PROGRAM "' " +
                   shapes.arguments("--set train.iterations=1000000 --set train.save_every=1 " + more) +
                   " & pid=$!; until test -e " + last + "; do sleep 0.01; done; " + what + "; wait $pid; echo $?");
}

}  // namespace

TEST_CASE("train: signals that ask it to stop make it save and stop") {
  for (const std::string signal : {"INT", "TERM", "HUP"}) {
    INFO(signal);
    const Shapes shapes;
    const Outcome outcome = meanwhile(shapes, "kill -" + signal + " $pid");
    INFO(outcome.out << outcome.err);
    REQUIRE(outcome.out.ends_with("\n130\n"));
    REQUIRE(contains(outcome.out, "go on with the same command and --resume"));
    REQUIRE(contains(read_bytes(shapes.run_folder() + "/outcome.json"), "stopped"));
  }
}

TEST_CASE("train: it is stopped between the batches of a step") {
  const Shapes shapes;
  const std::string accumulate = "--set train.accumulate=2000";
  const Outcome first = run_diopter(shapes.arguments("--set train.accumulate=1 --set train.stop_at=1"));
  REQUIRE(first.exit_code == 0);
  const std::string before = read_bytes(shapes.run_folder() + "/checkpoints/last.safetensors");
  const Outcome outcome = meanwhile(shapes, "sleep 0.5; kill -TERM $pid", "--resume --change " + accumulate);
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.out.ends_with("\n130\n"));
  REQUIRE(contains(outcome.out, "stopped at iteration 1 "));
  REQUIRE(read_bytes(shapes.run_folder() + "/checkpoints/last.safetensors") == before);
}

TEST_CASE("train: a batch system's warning makes it save and go on") {
  const Shapes shapes;
  const Outcome outcome =
      meanwhile(shapes, "rm " + shapes.run_folder() +
                            "/checkpoints/last.safetensors; kill -USR1 $pid; "
                            "until test -e " +
                            shapes.run_folder() +
                            "/checkpoints/last.safetensors; do sleep 0.01; done; echo saved; kill -TERM $pid");
  INFO(outcome.out << outcome.err);
  REQUIRE(contains(outcome.out, "saved\n"));
  REQUIRE(outcome.out.ends_with("\n130\n"));
}

TEST_CASE("train: a second training in the folder is refused, until the first is gone") {
  const Shapes shapes;
  const std::string second = "'" DIOPTER_PROGRAM "' " + shapes.arguments("--resume") + "; echo second $?; ";
  const Outcome outcome = meanwhile(
      shapes, second + "'" DIOPTER_PROGRAM "' report " + shapes.run_folder() + "; echo report $?; kill -KILL $pid");
  INFO(outcome.out << outcome.err);
  REQUIRE(contains(outcome.out, "second 2\n"));
  REQUIRE(contains(outcome.err, "diopter: " + shapes.run_folder() + ": another process works on it\n"));
  REQUIRE(contains(outcome.out, "report 0\n"));
  REQUIRE(run_diopter(shapes.arguments("--resume --set train.iterations=2 --set train.stop_at=1")).exit_code == 0);
}

TEST_CASE("train: other data of the same classes is refused") {
  const Shapes shapes;
  REQUIRE(run_diopter(shapes.arguments("--set train.stop_at=1")).exit_code == 0);
  const TemporaryFolder other;
  REQUIRE(run_diopter("shapes --train 4 --val 1 --size 32 --seed 7 --out " + other.path()).exit_code == 0);
  require_refused(run_diopter("train --resume --device cpu --train-annotations " + (other / "instances_train.json") +
                              " --train-images " + (other / "images") + " --out " + shapes.run_folder()),
                  "the run has seen another training set");
}

TEST_CASE("train: pictures that cannot be read are named at the start, and validation goes without them") {
  const TemporaryFolder folder;
  REQUIRE(run_diopter("shapes --train 4 --val 5 --size 32 --out " + (folder / "shapes")).exit_code == 0);
  const auto picture = [&](int number) { return folder / ("shapes/images/00000" + std::to_string(number) + ".png"); };
  const std::string second = read_bytes(picture(2)), fifth = read_bytes(picture(5)), sixth = read_bytes(picture(6)),
                    seventh = read_bytes(picture(7));
  const auto train = [&](const std::string& run, const std::string& more) {
    const std::string set = folder / "shapes";
    return run_diopter("train --device cpu --train-annotations " + set + "/instances_train.json --train-images " + set +
                       "/images --val-annotations " + set + "/instances_val.json --val-images " + set +
                       "/images --out " + (folder / run) + " --set model.width=4 --set model.groups=4 " +
                       "--set model.fpn_channels=8 --set train.iterations=2 --set train.batch_size=2 " + more);
  };
  write_bytes(picture(2), "no picture");
  std::filesystem::remove(picture(5));
  write_bytes(picture(6), "");
  write_bytes(picture(7), seventh.substr(0, seventh.size() - 30));  // its header is whole
  const Outcome run = train("run", "");
  INFO(run.out << run.err);
  REQUIRE(run.exit_code == 0);
  const std::string at_start = "2 of the 5 validation pictures cannot be read: " + picture(5) + ": no such file; " +
                               picture(6) + ": the file is empty";
  REQUIRE(contains(run.err, "diopter: warning: 1 of the 4 training pictures cannot be read: " + picture(2) + ": "));
  REQUIRE(contains(run.err, "diopter: warning: " + at_start + "; validation goes without them\n"));
  REQUIRE(contains(run.err, "evaluation at iteration 2: 3 of the 5 validation pictures cannot be read: "));
  REQUIRE(contains(read_bytes(folder / "run/evaluation.json"), "\"pictures\":2,\"unreadable\":3,"));
  REQUIRE(contains(read_bytes(folder / "run/report.html"), "Without 3 of the 5 validation pictures"));

  // Mended, the run goes on with the same data.
  write_bytes(picture(6), sixth);
  write_bytes(picture(7), seventh);
  const Outcome resumed = train("run", "--resume --set train.iterations=3");
  INFO(resumed.out << resumed.err);
  REQUIRE(resumed.exit_code == 0);
  REQUIRE(contains(resumed.err, "evaluation at iteration 3: 1 of the 5 validation pictures cannot be read: "));

  require_refused(train("strict", "--strict"), "1 of the 4 training pictures cannot be read: ");
  write_bytes(picture(2), second);
  require_refused(train("strict", "--strict"), "1 of the 5 validation pictures cannot be read: " + picture(5));
  write_bytes(picture(5), fifth.substr(0, fifth.size() - 30));
  require_refused(train("strict", "--strict"), "1 of the 5 validation pictures cannot be read: " + picture(5));
  for (int i = 5; i <= 9; ++i) std::filesystem::remove(picture(i));
  require_refused(train("strict", ""), "5 of the 5 validation pictures cannot be read: ");
  REQUIRE_FALSE(std::filesystem::exists(folder / "strict"));
}

TEST_CASE("train: a resumed run takes other settings only where they are meant") {
  const Shapes shapes;
  const auto resume = [&](const std::string& more) { return run_diopter(shapes.arguments("--resume " + more)); };
  REQUIRE(run_diopter(shapes.arguments("--loss focal --set train.stop_at=1")).exit_code == 0);
  const std::string before = shapes.config(), last = shapes.run_folder() + "/checkpoints/last.safetensors",
                    weights = read_bytes(last);
  require_refused(run_diopter(shapes.arguments("--change")), "--change is for --resume");
  require_refused(resume("--loss ce"), "loss.kind = ce (focal:gamma=2,alpha=0.25 before); with --change ");
  require_refused(resume("--set train.lr=0.3 --set input.max_size=96"),
                  "goes on with other settings than the run has: input.max_size = 96 (");
  const TemporaryFolder folder;
  const std::string file = folder.write("more.toml", "[train]\nlr = 0.25\n");
  require_refused(resume("--config " + file), "train.lr = 0.25 (");
  REQUIRE(shapes.config() == before);
  REQUIRE(read_bytes(last) == weights);

  const Outcome meant = resume("--change --loss ce --set train.lr=0.3");
  INFO(meant.out << meant.err);
  REQUIRE(meant.exit_code == 0);
  REQUIRE(contains(meant.err, "warning: from now on loss.kind = ce (focal:gamma=2,alpha=0.25 before)\n"));
  REQUIRE(shapes.config().starts_with("# From iteration 1 on: loss.kind = ce (focal:gamma=2,alpha=0.25 before)\n"));
  REQUIRE(contains(read_bytes(shapes.run_folder() + "/report.html"), "From iteration 1 on: loss.kind = ce "));
  // Another length is told; its own settings again, and how it is watched, are nothing.
  const Outcome longer = resume("--loss ce --set train.lr=0.3 --set train.iterations=3 --set train.log_every=1");
  INFO(longer.err);
  REQUIRE(longer.exit_code == 0);
  REQUIRE(contains(longer.err, "warning: from now on train.iterations = 3 (2 before)\n"));
}

TEST_CASE("train: --preset of a resumed run is the one it was started from") {
  const Shapes shapes;
  const auto run = [&](const std::string& more) { return run_diopter(shapes.arguments(more)); };
  REQUIRE(run("--preset small --set train.stop_at=1").exit_code == 0);
  require_refused(run("--preset torchvision --resume"), "model.backbone = 'resnet50' ('tiny' before), ");
  require_refused(run("--preset torchvision --resume"), " more; with --change they hold from here on");
  require_refused(run("--preset smal --resume"), "the nearest is small");
  const Outcome same = run("--preset small --resume");
  INFO(same.err);
  REQUIRE(same.exit_code == 0);
}

TEST_CASE("train: several annotation files make one set") {
  const TemporaryFolder folder;
  REQUIRE(run_diopter("shapes --train 4 --val 3 --size 32 --out " + (folder / "shapes")).exit_code == 0);
  const std::string set = folder / "shapes", both = "annotations " + set + "/instances_train.json --";
  const std::string train = "train --device cpu --no-doctor --train-" + both + "train-annotations " + set +
                            "/instances_val.json --train-images " + set +
                            "/images --set model.width=4 --set model.groups=4 " +
                            "--set model.fpn_channels=8 --set train.iterations=1 --set train.batch_size=2 --out ";
  const Outcome run = run_diopter(train + (folder / "run"));
  INFO(run.out << run.err);
  REQUIRE(run.exit_code == 0);
  REQUIRE(contains(run.out, "7 training and 0 validation pictures, 3 classes"));
  const Outcome doctor =
      run_diopter("doctor --" + both + "annotations " + set + "/instances_val.json --images " + set + "/images");
  REQUIRE(contains(doctor.out, "pictures             7"));
  const std::string model = "--checkpoint " + (folder / "run/checkpoints/last.safetensors") + " --annotations " + set;
  const std::string picture = set + "/images/000005.png";
  const Outcome detect = run_diopter("detect " + model + "/instances_train.json --annotations " + set +
                                     "/instances_val.json " + picture + " --json " + (folder / "found.json"));
  INFO(detect.err);
  REQUIRE(detect.exit_code == 0);
  const Outcome evaluate = run_diopter("evaluate " + model + "/instances_train.json --annotations " + set +
                                       "/instances_val.json --detections " + (folder / "found.json"));
  REQUIRE(evaluate.exit_code == 2);
}

TEST_CASE("train: the doctor speaks first, but not twice, and not where it is told to be silent") {
  const TemporaryFolder folder;
  REQUIRE(run_diopter("shapes --train 12 --val 1 --size 96 --object-size 0.07 0.1 --out " + (folder / "s")).exit_code ==
          0);
  std::filesystem::remove(folder / "s/images/000003.png");
  const auto train = [&](const std::string& more) {
    return run_diopter("train --device cpu --train-annotations " + (folder / "s/instances_train.json") +
                       " --train-images " + (folder / "s/images") + " --out " + (folder / "run") +
                       " --set model.width=4 --set model.groups=4 --set model.fpn_channels=8 --set train.batch_size=1" +
                       " --set input.max_size=48 --set train.iterations=1 " + more);
  };
  const Outcome outcome = train("");
  INFO(outcome.out << outcome.err);
  REQUIRE(outcome.exit_code == 0);
  REQUIRE(contains(outcome.err, "diopter: at the network's input: 96 x 96 shrunk to 48 x 48: median object "));
  REQUIRE(contains(outcome.err, "% of the objects have an anchor with IoU >= 0.5; diopter doctor looks for settings"));
  REQUIRE(contains(outcome.err, "1 of the 12 training pictures cannot be read: "));
  REQUIRE_FALSE(contains(outcome.err, "pictures that do not exist"));
  const Outcome resumed = train("--resume --set train.iterations=2");
  REQUIRE(resumed.exit_code == 0);
  REQUIRE_FALSE(contains(resumed.err, "at the network's input"));
  std::filesystem::remove_all(folder / "run");
  const Outcome silent = train("--no-doctor");
  REQUIRE(silent.exit_code == 0);
  REQUIRE_FALSE(contains(silent.err, "at the network's input"));
  REQUIRE_FALSE(contains(silent.err, "anchor"));
  std::filesystem::remove_all(folder / "run");
  require_refused(train("--set input.max_size=4 --set input.min_sizes=[4] --strict --no-doctor"),
                  "1 of the 12 training pictures cannot be read");
  std::filesystem::copy(folder / "s/images/000004.png", folder / "s/images/000003.png");
  require_refused(train("--set input.max_size=4 --set input.min_sizes=[4]"), "there is no object to learn from");
  REQUIRE_FALSE(std::filesystem::exists(folder / "run"));
}

TEST_CASE("train: --split without a validation set is refused") {
  const Shapes shapes;
  require_refused(run_diopter(shapes.arguments("--split test")), "--split chooses the part of --val-annotations");
}

TEST_CASE("train: standard output that is closed or full") {
  const Shapes shapes;
  const std::string train = "'" DIOPTER_PROGRAM "' " + shapes.arguments("");
  const Outcome full = run_shell(train + " >/dev/full");
  INFO(full.err);
  REQUIRE(full.exit_code == 2);
  REQUIRE(contains(full.err, "diopter: standard output: cannot write: No space left on device\n"));
  // Nobody reads; the shell tells the exit code of the first command.
  const Outcome gone = run_shell("exec 3>&1; { " + train + "; echo code $? >&3; } | true");
  INFO(gone.out << gone.err);
  REQUIRE(contains(gone.out, "code 2\n"));
  // A closed one is as good as /dev/null: nothing that is opened later gets its number.
  REQUIRE(run_shell(train + " >&- 2>&- <&-").exit_code == 0);
  REQUIRE_FALSE(contains(shapes.config(), "training and"));
}

TEST_CASE("train: what cannot be meant, or does not fit into memory, is refused before the first step") {
  const Shapes shapes;
  require_refused(run_diopter(shapes.arguments("--set train.accumulate=1000000000")),
                  "train.accumulate must lie between 1 and 65536");
  require_refused(run_diopter(shapes.arguments("--set train.batch_size=2000000000")),
                  "train.batch_size must lie between 1 and 65536");
  require_refused(run_diopter(shapes.arguments("--set train.accumulate=60000")), "more than 1000 times");
  if (!kSanitized) {
    const Outcome limited =
        run_shell("ulimit -v 2000000; '" DIOPTER_PROGRAM "' " + shapes.arguments("--set train.batch_size=20000"));
    require_refused(limited, "ulimit -v has ");
    REQUIRE(contains(limited.err, "a training step needs about "));
    REQUIRE(contains(limited.err, "lower train.batch_size"));
  }
  REQUIRE_FALSE(std::filesystem::exists(shapes.run_folder()));
}
