// Files that released programs wrote, read by today's: fixtures/README of each release says how they were made.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <map>
#include <sstream>
#include <vector>

#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/support/protocols.h"
#include "tests/tools/program.h"

using diopter::json_text;
using diopter::parse_json;
using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

const std::string kReleased = DIOPTER_SOURCE_DIR "/tests/compatibility/fixtures/0.1";

/// A copy of the release's files, to write into.
struct Released {
  TemporaryFolder folder;

  Released() { fs::copy(kReleased, folder.path(), fs::copy_options::recursive); }

  Outcome run(const std::string& arguments) const {
    Outcome outcome = run_shell("cd '" + folder.path() + "' && '" DIOPTER_PROGRAM "' " + arguments);
    INFO(outcome.err);
    REQUIRE(outcome.exit_code == 0);
    return outcome;
  }
  Outcome train(const std::string& arguments) const {
    return run(
        "train --device cpu --train-annotations data/instances_train.json --train-images data/images"
        " --val-annotations data/instances_val.json --val-images data/images " +
        arguments);
  }
  std::string read(const std::string& name) const { return read_bytes(folder / name); }
  void require_file(const std::string& name) const {
    INFO(name);
    REQUIRE(fs::exists(folder / name));
  }
};

std::vector<std::vector<std::string>> csv_fields(const std::string& text) {
  std::vector<std::vector<std::string>> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream fields(line);
    lines.emplace_back();
    for (std::string field; std::getline(fields, field, ',');) lines.back().push_back(field);
  }
  return lines;
}

/// What a safetensors file says beside its tensors: an 8-byte length, then JSON.
nlohmann::json metadata_of(const std::string& safetensors) {
  std::uint64_t length = 0;
  std::memcpy(&length, safetensors.data(), sizeof length);
  return parse_json(safetensors.substr(sizeof length, length)).at("__metadata__");
}

/// metrics.csv of a run holds what that of 0.1.0 held: the same lines, columns by name, numbers as far as processors
/// agree.
void require_same_training(const std::string& actual, const std::string& expected) {
  const auto ours = csv_fields(actual), theirs = csv_fields(expected);
  REQUIRE(ours.size() == theirs.size());
  std::map<std::string, std::size_t> column;
  for (std::size_t i = 0; i < ours[0].size(); ++i) column[ours[0][i]] = i;
  for (const char* name : {"iteration", "lr", "loss", "classification_loss", "box_loss", "positives", "gradient_norm",
                           "AP", "AP50", "AR100", "negatives_loss_5"}) {
    const auto in_theirs = std::find(theirs[0].begin(), theirs[0].end(), name) - theirs[0].begin();
    REQUIRE(in_theirs < static_cast<std::ptrdiff_t>(theirs[0].size()));
    for (std::size_t line = 1; line < ours.size(); ++line) {
      const auto field = [&](const std::vector<std::string>& fields, std::size_t at) {
        return at < fields.size() && !fields[at].empty() ? std::stod(fields[at]) : NAN;
      };
      const double a = field(ours[line], column.at(name)), b = field(theirs[line], static_cast<std::size_t>(in_theirs));
      INFO(name << " in line " << line + 1 << ": " << a << ", of 0.1.0 " << b);
      REQUIRE(std::isnan(a) == std::isnan(b));
      if (!std::isnan(a)) REQUIRE(std::fabs(a - b) <= 2e-4 * std::max(1.0, std::fabs(b)));
    }
  }
}

/// Every line of a configuration that 0.1.0 wrote stands in today's; today's may have more.
void require_same_settings(const std::string& actual, const std::string& expected) {
  const auto values = [](const std::string& text) {
    std::map<std::string, std::string> settings;
    std::istringstream in(text);
    std::string section;
    for (std::string line; std::getline(in, line);) {
      if (line.starts_with("[")) section = line;
      if (const std::size_t equals = line.find(" = "); equals != std::string::npos) {
        settings[section + line.substr(0, equals)] = line.substr(equals);
      }
    }
    return settings;
  };
  const auto ours = values(actual), theirs = values(expected);
  REQUIRE(theirs.size() > 90);
  for (const auto& [key, value] : theirs) {
    INFO(key);
    REQUIRE(ours.at(key) == value);
  }
}

}  // namespace

TEST_CASE("0.1: a checkpoint detects what it detected") {
  const Released released;
  released.run(
      "detect --device cpu --checkpoint run/checkpoints/best.safetensors data/images --out drawn --json ours.json");
  const auto ours = parse_json(released.read("ours.json")),
             theirs = parse_json(released.read("expected/detections.json"));
  REQUIRE(theirs.size() == 36);
  REQUIRE(ours.size() == theirs.size());
  for (std::size_t i = 0; i < theirs.size(); ++i) {
    INFO(json_text(theirs[i]) << " is now " << json_text(ours[i]));
    for (const char* same : {"image_id", "file_name", "category_id", "category"})
      REQUIRE(ours[i][same] == theirs[i][same]);
    REQUIRE(ours[i]["score"].get<double>() == Approx(theirs[i]["score"].get<double>()).epsilon(1e-4));
    for (int side = 0; side < 4; ++side) {
      REQUIRE(ours[i]["bbox"][side].get<double>() == Approx(theirs[i]["bbox"][side].get<double>()).margin(1e-2));
    }
  }
}

TEST_CASE("0.1: checkpoints are evaluated, converted and a start for training") {
  const Released released;
  for (const std::string name : {"last", "best"}) {
    const std::string file = "run/checkpoints/" + name + ".safetensors";
    released.run("evaluate --device cpu --checkpoint " + file +
                 " --annotations data/instances_val.json --images data/images --json metrics.json");
    REQUIRE(parse_json(released.read("metrics.json")).at("stats").size() == 12);
    released.run("convert " + file + " " + name + ".safetensors");
    released.train("--config config.toml --set model.weights=" + file + " --set train.iterations=1 --out from-" + name);
  }
}

TEST_CASE("0.1: a run that was stopped goes on as it would have") {
  const Released released;
  released.train("--out run --resume");
  require_same_training(released.read("run/metrics.csv"), released.read("expected/resumed_metrics.csv"));
  require_same_settings(released.read("run/config.toml"), released.read("expected/resumed_config.toml"));
  REQUIRE(metadata_of(released.read("run/checkpoints/last.safetensors")).at("iteration") == "8");
  released.require_file("run/report.html");
}

TEST_CASE("0.1: a run goes on by the command that it was begun with, whose preset is another one now") {
  const Released released;
  released.train("--preset small --config config.toml --out run --resume");
  require_same_settings(released.read("run/config.toml"), released.read("expected/resumed_config.toml"));
}

TEST_CASE("0.1: report reads a run folder") {
  const Released released;
  released.run("report run");
  const std::string report = released.read("run/report.html");
  REQUIRE(contains(report, "Stopped at iteration 4 of 8"));
  REQUIRE(contains(report, "focal_star"));
}

TEST_CASE("0.1: files for --config, of single keys or of all, give the configuration that they gave") {
  const Released released;
  for (const std::string file : {"config.toml", "run/config.toml"}) {
    released.train("--preset small_sgd --config " + file + " --set train.stop_at=1 --out new");
    require_same_settings(released.read("new/config.toml"),
                          replaced(released.read("run/config.toml"), "stop_at = 4", "stop_at = 1"));
    fs::remove_all(released.folder / "new");
  }
}

TEST_CASE("0.1: a study that was interrupted goes on under the same protocol") {
  const Released released;
  REQUIRE(contains(released.run("compare protocol.toml --plan").out, "protocol f6417ecd5c6c2c8e: 8 runs"));
  released.run("compare protocol.toml --out study --resume --jobs 2 --device cpu");
  std::string results;
  for (const std::vector<std::string>& line : csv_fields(released.read("study/results.csv"))) {
    for (std::size_t i = 0; i < 21; ++i) results += line.at(i) + (i < 20 ? "," : "\n");
  }
  REQUIRE(results == released.read("expected/study_results.csv"));
  for (const std::string run : {"final-ce-seed1", "final-ce-seed2", "final-focal-seed1", "final-focal-seed2"}) {
    INFO(run);
    require_same_training(released.read("study/runs/" + run + "/metrics.csv"),
                          released.read("expected/study/" + run + ".csv"));
  }
  released.run("report study");
  REQUIRE(contains(released.read("study/report.html"), "A study by Diopter 0.1"));
}
