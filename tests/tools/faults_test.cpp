// Runs that are killed, or whose disk fails, at any moment: they go on, and end with the bits of the unbroken run.
// And inputs that were met badly once.
// DIOPTER_KILLS, DIOPTER_STUDY_KILLS and DIOPTER_FAULTS are how often (few by default); DIOPTER_FAULT_SEED chooses
// other moments.
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/base/json.h"
#include "tests/support/protocols.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

int number_from(const char* variable, int otherwise) {
  const char* text = std::getenv(variable);
  return text ? std::atoi(text) : otherwise;
}

/// Kills a program after some seconds, and ends once it is gone. Without --foreground `timeout` kills itself, too,
/// while the program may still hold its files: then the next run would meet them.
std::string killed_after(const std::string& seconds) { return "timeout --foreground -s KILL " + seconds; }

std::mt19937 random_moments() { return std::mt19937(static_cast<unsigned>(number_from("DIOPTER_FAULT_SEED", 1))); }

/// The first columns that do not tell time, for comparison: iteration, lr, loss ... gradient_norm, and AP.
std::vector<std::string> numbers_of(const std::string& metrics) {
  std::istringstream text(read_bytes(metrics));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) {
    std::istringstream fields(line);
    std::string kept;
    int column = 0;
    for (std::string field; std::getline(fields, field, ','); ++column) {
      if (column != 1 && column != 8 && column != 9) kept += field + ",";
    }
    lines.push_back(kept);
  }
  return lines;
}

/// A table's lines without their last column, which holds seconds.
std::vector<std::string> without_seconds(const std::string& file) {
  std::istringstream text(read_bytes(file));
  std::vector<std::string> lines;
  for (std::string line; std::getline(text, line);) lines.push_back(line.substr(0, line.rfind(',')));
  return lines;
}

/// A run that saves and evaluates often.
class Training {
 public:
  Training() {
    REQUIRE(run_diopter("shapes --train 12 --val 9 --size 32 --out " + data_).exit_code == 0);
    const auto start = std::chrono::steady_clock::now();
    REQUIRE(train("whole").exit_code == 0);
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  double seconds() const { return seconds_; }
  std::string folder(const std::string& run) const { return folder_ / run; }
  std::string last(const std::string& run) const { return folder(run) + "/checkpoints/last.safetensors"; }

  /// `before` stands before the program: "timeout 1".
  Outcome train(const std::string& run, const std::string& before = "", const std::string& more = "") const {
    return run_shell(before + " '" DIOPTER_PROGRAM "' " + arguments(run) + " " + more);
  }
  std::string arguments(const std::string& run) const {
    return "train --device cpu --threads 1 --train-annotations " + data_ + "/instances_train.json --train-images " +
           data_ + "/images --val-annotations " + data_ + "/instances_val.json --val-images " + data_ +
           "/images --out " + folder(run) +
           " --set model.width=4 --set model.groups=4 --set model.fpn_channels=8 --set model.head_depth=1"
           " --set train.iterations=24 --set train.batch_size=2 --set train.save_every=2 --set train.evaluate_every=3"
           " --set train.log_every=1 --set train.pictures=2 --set train.average=0.9 --set train.workers=1" +
           (fs::exists(last(run)) ? " --resume" : "");
  }

  /// Ends the run and requires everything of the unbroken one in it.
  void require_whole(const std::string& run) const {
    const Outcome outcome = train(run);
    INFO(outcome.out << outcome.err);
    REQUIRE(outcome.exit_code == 0);
    for (const char* file : {"checkpoints/last.safetensors", "checkpoints/best.safetensors", "evaluation.json",
                             "outcome.json", "config.toml"}) {
      INFO(file);
      REQUIRE((read_bytes(folder(run) + "/" + file) == read_bytes(folder("whole") + "/" + file)));
    }
    REQUIRE(numbers_of(folder(run) + "/metrics.csv") == numbers_of(folder("whole") + "/metrics.csv"));
    REQUIRE(run_diopter("report " + folder(run)).exit_code == 0);
    for (const auto& entry : fs::recursive_directory_iterator(folder(run))) {
      INFO(entry.path());
      REQUIRE_FALSE(contains(entry.path().filename(), ".tmp"));
    }
  }

  /// Whatever has happened to the run: no file with its final name is a part of one.
  void require_readable(const std::string& run) const {
    for (const char* file : {"evaluation.json", "outcome.json", "origin.json"}) {
      INFO(file);
      const std::string text = read_bytes(folder(run) + "/" + file);
      REQUIRE((text.empty() || nlohmann::json::accept(text)));
    }
    for (const char* file : {"last", "best"}) {
      const std::string checkpoint = folder(run) + "/checkpoints/" + file + ".safetensors";
      if (!fs::exists(checkpoint)) continue;
      const Outcome outcome = run_diopter("convert " + checkpoint + " " + folder_ / "converted.safetensors");
      INFO(outcome.err);
      REQUIRE(outcome.exit_code == 0);
    }
  }

 private:
  TemporaryFolder folder_;
  std::string data_ = folder_ / "data";
  double seconds_ = 0;
};

}  // namespace

TEST_CASE("faults: a training that is killed again and again ends with the bits of the unbroken one", "[thorough]") {
  constexpr int kKillsPerRun = 4;
  const Training training;
  std::mt19937 random = random_moments();
  std::uniform_real_distribution<double> moment(0.02, 0.6 * training.seconds());
  const int kills = number_from("DIOPTER_KILLS", 4);
  int done = 0;
  for (int chain = 0; done < kills; ++chain) {
    const std::string run = "killed" + std::to_string(chain);
    for (int i = 0; i < kKillsPerRun && done < kills; ++i) {
      const std::string seconds = std::to_string(moment(random));
      const Outcome outcome = training.train(run, killed_after(seconds));
      INFO("chain " << chain << ", killed after " << seconds << " s: " << outcome.exit_code << outcome.err);
      if (outcome.exit_code == 0) break;  // it was faster
      REQUIRE(outcome.exit_code == 137);
      ++done;
      training.require_readable(run);
    }
    INFO("chain " << chain);
    training.require_whole(run);
    fs::remove_all(training.folder(run));
  }
  WARN(done << " kills");
}

TEST_CASE("faults: a study that is killed again and again has the table of the unbroken one", "[thorough]") {
  const int kills = number_from("DIOPTER_STUDY_KILLS", 1);
  constexpr int kKillsPerStudy = 4;
  const TemporaryFolder folder;
  const std::string protocol = folder.write("p.toml", replaced(tiny_protocol(), "iterations = 6", "iterations = 40"));
  const auto compare = [&](const std::string& study, const std::string& before) {
    const std::string out = folder / study;
    return run_shell(before + " '" DIOPTER_PROGRAM "' compare " + protocol + " --out " + out + " --jobs 2" +
                     (fs::exists(out + "/protocol.toml") ? " --resume" : ""));
  };
  const auto start = std::chrono::steady_clock::now();
  REQUIRE(compare("whole", "").exit_code == 0);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  std::mt19937 random = random_moments();
  std::uniform_real_distribution<double> moment(0.02, 0.6 * seconds);
  int done = 0;
  for (int chain = 0; done < kills; ++chain) {
    const std::string study = "killed" + std::to_string(chain), out = folder / study;
    for (int i = 0; i < kKillsPerStudy && done < kills; ++i) {
      const Outcome outcome = compare(study, killed_after(std::to_string(moment(random))));
      INFO(outcome.err);
      if (outcome.exit_code == 0) break;
      REQUIRE(outcome.exit_code == 137);
      ++done;
      // Its runs hold the folder until they have stopped; only --resume waits for them.
      run_shell("flock '" + out + "/lock' true");
    }
    const Outcome outcome = compare(study, "");
    INFO("chain " << chain << outcome.out << outcome.err);
    REQUIRE(outcome.exit_code == 0);
    for (const char* table : {"/table.csv", "/results.csv"}) {
      REQUIRE(without_seconds(out + table) == without_seconds(folder / "whole" + table));
    }
    fs::remove_all(out);
  }
  WARN(done << " kills of a study");
}

TEST_CASE("faults: a call that fails stops the training with one line, and it goes on to the same bits") {
  if (std::string(DIOPTER_SANITIZE) != "") return skip("a library of a sanitizer must be loaded first");
  struct Kind {
    const char* call;
    int most;  // calls in a run, about
    bool and_all_after;
    int error;
  };
  const Kind kinds[] = {{"write", 700, true, ENOSPC}, {"write", 700, false, EDQUOT}, {"rename", 60, false, EIO},
                        {"fsync", 110, false, EIO},   {"open", 250, true, EMFILE},   {"open", 250, true, EROFS}};
  const Training training;
  const int faults = number_from("DIOPTER_FAULTS", 6);
  std::mt19937 random = random_moments();
  int done = 0;
  for (int i = 0; done < faults; ++i) {
    const Kind& kind = kinds[i % std::size(kinds)];
    const std::string run = "failing" + std::to_string(i), mark = training.folder(run + "-mark");
    const int number = 1 + static_cast<int>(random() % static_cast<unsigned>(kind.most));
    const std::string fault = std::string(kind.call) + ":" + std::to_string(number) + (kind.and_all_after ? "+" : "") +
                              ":" + std::to_string(kind.error);
    const Outcome outcome =
        training.train(run, "DIOPTER_FAIL=" + fault + " DIOPTER_FAIL_UNDER=" + training.folder(run) +
                                " DIOPTER_FAIL_MARK=" + mark + " LD_PRELOAD='" DIOPTER_FAILING_CALLS "'");
    INFO(fault << ": " << outcome.exit_code << "\n" << outcome.out << outcome.err);
    if (!fs::exists(mark)) {  // there were not so many calls
      REQUIRE(outcome.exit_code == 0);
      fs::remove_all(training.folder(run));
      continue;
    }
    ++done;
    // Only the report may be missing without harm.
    const std::size_t line = outcome.err.rfind("diopter: ");
    REQUIRE(line != std::string::npos);
    if (outcome.exit_code == 0) {
      REQUIRE(contains(outcome.err, "warning: no report: "));
    } else {
      REQUIRE(outcome.exit_code == 2);
      REQUIRE(outcome.err.find('\n', line) == outcome.err.size() - 1);
      REQUIRE(contains(outcome.err.substr(line), training.folder(run)));
    }
    training.require_readable(run);
    training.require_whole(run);
    fs::remove_all(training.folder(run));
  }
  WARN(done << " failing calls");
}

// Files and scripts that the program has once met badly, each with what is expected of it.
TEST_CASE("faults: inputs that once lost work, memory or pictures end as they should") {
  const std::string cases = test_data_folder() + "/cases/faults";
  if (test_data_folder().empty()) return skip("DIOPTER_TEST_DATA is not set");
  const TemporaryFolder folder;
  const auto in_folder = [&](const std::string& command) {
    return run_shell("cd '" + folder.path() + "'; export TMPDIR=$PWD D='" DIOPTER_PROGRAM "'; " + command);
  };
  const std::string train =
      "$D train --threads 1 --train-annotations s/instances_train.json --train-images s/images --set model.weights= "
      "--set train.iterations=4 --set train.batch_size=2 --set train.workers=0 ";
  const std::string detect = "$D detect --checkpoint run/checkpoints/last.safetensors ";
  REQUIRE(in_folder("$D shapes --out s --train 12 --val 2 --size 32 && " + train + "--out run").exit_code == 0);
  struct Case {
    std::string command;
    int exit_code;
    std::string says;  // on stderr, or "": anything
  };
  const std::string in = "'" + cases + "/";
  const std::vector<Case> all = {
      {"$D doctor --annotations " + in + "csv_many_classes/many_classes.csv'", 2, "a.png: no such file"},
      {detect + in + "detect_broken_picture/p' --json out.json", 3, "000002.png: the file is truncated"},
      {detect + in + "detect_latin1_name/p' --json out.json", 0, ""},
      {"cp -r " + in + "detect_overwrites_inputs/photos' p; " + detect + "p --out p", 2,
       "p/1.jpg: is one of the pictures"},
      {"cmp p/1.jpg " + in + "detect_overwrites_inputs/photos/1.jpg'", 0, ""},
      {train + "--out huge --set train.batch_size=2000000000", 2, "train.batch_size must lie between"},
      {train + "--out huge --set input.max_size=1000000000", 2, "input.max_size must lie between"},
      {detect + in + "jpeg_dht_overflow/bad.jpg' --json out.json", 2, "Huffman"},
      {detect + in + "long_picture_drawing/p_20000x3.png' --out long", 0, ""},
      {detect + in + "long_picture_drawing/p_5000000x1.png' --out long", 2, "is longer than 1048576 pixels"},
      {"$D detect --checkpoint " + in + "nan_detections/nanbox.safetensors' s/images --json nan.json", 2,
       "are not finite"},
      {"test ! -e nan.json", 0, ""},
      {detect + in + "png_idat_bomb/png_idat_bomb_10x10.png' --json out.json", 2, "data go on behind the last row"},
      {detect + in + "pnm_16bit/grey16.pgm' " + in + "pnm_16bit/rgb16.ppm' --json out.json", 0, ""},
      {detect + in + "pnm_16bit/pnm_overflow.bin' --json out.json", 2, "the file is truncated"},
      {"$D convert " + in + "safetensors_overlap/overlap_20000x256K.safetensors' x.safetensors", 2,
       "overlaps another one"},
      {"$D convert " + in + "terminal_escapes/esc.safetensors' x.safetensors", 2, "?[31mred"},
      {"$D compare " + in + "toml_deep_table/deep_table.toml' --plan", 2, "parts of a dotted key"},
      {train + "--out deep --config " + in + "toml_deep_table/deep_table.toml'", 2, "parts of a dotted key"},
      {"bash " + in + "killed_in_final_evaluation/repro.sh'", 0, ""},
      {"bash " + in + "killed_while_appending_metrics/repro.sh' | grep '^exit 0$'", 0, ""},
  };
  for (const auto& [command, exit_code, says] : all) {
    const Outcome outcome = in_folder(command);
    INFO(command << "\n" << outcome.out << outcome.err);
    CHECK(outcome.exit_code == exit_code);
    CHECK(contains(outcome.err, says));
    CHECK(outcome.err.find('\x1b') == std::string::npos);
    CHECK_FALSE(contains(outcome.err, "internal error"));
    CHECK_FALSE(contains(outcome.out, "differ"));  // of files that must be the same
  }
}
