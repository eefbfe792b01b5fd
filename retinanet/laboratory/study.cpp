#include "retinanet/laboratory/study.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "data/metrics/calibration.h"
#include "data/metrics/coco_metrics.h"
#include "data/metrics/operating_point.h"
#include "data/shapes_stream.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "retinanet/detection/class_weights.h"
#include "retinanet/doctor/prior.h"
#include "retinanet/laboratory/study_data.h"
#include "retinanet/network/detect.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/weights.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr const char* kPhaseNames[] = {"tuning", "final"};

std::string protocol_file(const std::string& folder) { return folder + "/protocol.toml"; }
std::string data_folder(const std::string& folder) { return folder + "/data"; }
std::string result_file(const std::string& run_folder) { return run_folder + "/result.json"; }

RunResult read_result(const std::string& file, const std::string& hash) {
  RunResult result;
  try {
    const auto json = parse_json(read_file(file));
    DIOPTER_CHECK(json.at("protocol") == hash, file, ": was made by the protocol ",
                  json.at("protocol").get<std::string>(), ", not by this one, ", hash);
    result.name = json.at("run");
    result.diverged = json.at("diverged");
    result.iteration = json.at("iteration");
    result.stats = coco_numbers(json.at("stats"));
    result.seconds = json.at("seconds");
    if (const auto scores = json.find("scores"); scores != json.end() && !scores->is_null()) {
      result.scores = {scores->at("ece"), scores->at("best_score"), scores->at("best_f1")};
    }
  } catch (const nlohmann::json::exception&) {
    fail(file, ": is no result of a run");
  }
  return result;
}

std::optional<ScoreQuality> score_quality(const CocoMatches& matches) {
  const std::optional<OperatingPoint> best = best_operating_points(matches).all;
  if (!best) return {};
  return ScoreQuality{calibration(matches).ece, best->score, best->f1};
}

ordered_json json_of(const std::optional<ScoreQuality>& scores) {
  if (!scores) return nullptr;
  return {{"ece", scores->ece}, {"best_score", scores->best_score}, {"best_f1", scores->best_f1}};
}

bool all_finite(const RetinaNet& model) {
  for (const NamedParameter& p : model.parameters()) {
    for (const float w : p.variable.value().to_vector<float>()) {
      if (!std::isfinite(w)) return false;
    }
  }
  return true;
}

}  // namespace

std::int64_t iterations_done(const std::string& run_folder) {
  return static_cast<std::int64_t>(read_metrics(run_folder).last("iteration").value_or(0));
}

Study::Study(std::string folder, const std::string& text, const std::string& file)
    : folder_(std::move(folder)), text_(text), protocol_(parse_protocol(text, file)), hash_(protocol_hash(protocol_)) {}

bool Study::exists(const std::string& folder) { return fs::exists(protocol_file(folder)); }

Study Study::create(const std::string& folder, const std::string& text, const std::string& file,
                    std::vector<std::string>& warnings, void (*progress)(int done, int total)) {
  Study study(folder, text, file);
  const std::vector<std::string> more =
      write_study_data(study.protocol_.data, fs::path(file).parent_path(), data_folder(folder), progress);
  warnings.insert(warnings.end(), more.begin(), more.end());
  write_file_atomically(protocol_file(folder), text);
  return study;
}

Study Study::open(const std::string& folder) {
  return {folder, read_file(protocol_file(folder)), protocol_file(folder)};
}

std::optional<RunResult> Study::result_in(const std::string& folder) const {
  const std::string file = result_file(folder);
  if (!fs::exists(file)) return {};
  return read_result(file, hash_);
}

RunResults Study::results() const {
  RunResults results;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(folder_ + "/runs", none)) {
    const std::string name = entry.path().filename();
    if (const auto found = result(name)) results.emplace(name, *found);
  }
  return results;
}

void Study::write_results(const RunResults& results) const {
  std::vector<std::string> columns = {"run", "protocol", "phase",    "contestant", "settings",
                                      "lr",  "seed",     "diverged", "iterations"};
  for (const CocoNumber& column : kCocoNumbers) columns.emplace_back(column.name);
  for (const char* column : {"ECE", "best_score", "best_F1", "seconds"}) columns.emplace_back(column);
  CsvText csv(columns);
  for (const PlannedRun& run : known_runs(protocol_, results)) {
    const auto found = results.find(run.name);
    if (found == results.end()) continue;
    const RunResult& result = found->second;
    const Contestant& contestant = protocol_.contestants[run.contestant];
    csv << run.name << hash_ << kPhaseNames[static_cast<int>(run.phase)] << contestant.name
        << settings_text(contestant, run.values) << run.values.lr << run.seed << std::int64_t{result.diverged}
        << result.iteration;
    for (const double number : list_of(result.stats)) csv << number;
    if (const auto& scores = result.scores) {
      csv << scores->ece << scores->best_score << scores->best_f1;
    } else {
      for (int i = 0; i < 3; ++i) csv << "";
    }
    csv << result.seconds;
    csv.end_line();
  }
  write_file_atomically(folder_ + "/results.csv", csv.text());
}

std::optional<RunResult> Study::run(const PlannedRun& run, const std::string& folder, Device device,
                                    const TrainerCallbacks& callbacks) const {
  const std::string checkpoint = last_checkpoint(folder);
  if (const auto found = result_in(folder)) return found;
  Dataset train = read_study_data(data_folder(folder_), kTrainSplit);
  if (protocol_.data.stream) train.stream = shapes_stream(protocol_.data.shapes);
  const Contestant& contestant = protocol_.contestants[run.contestant];
  const Config config =
      with_prior(with_class_weights(run_config(protocol_, contestant, run.values, run.seed), train), train);

  RunResult result{.name = run.name, .iteration = config.train.iterations};
  try {
    const auto trainer = fs::exists(checkpoint) ? Trainer::resume(folder, {}, train, {}, device)
                                                : std::make_unique<Trainer>(config, train, Dataset{}, folder, device);
    if (!trainer->run(callbacks).finished) return {};
    result.diverged = !all_finite(trainer->model());
  } catch (const NotFinite& diverged) {
    if (callbacks.message) callbacks.message(diverged.what());
    result.diverged = true;
    result.iteration = diverged.iteration();
  }
  if (!result.diverged) {
    const LoadedModel loaded = load_model(checkpoint, device);
    const Dataset truth = read_study_data(data_folder(folder_), run.phase == Phase::tuning ? kTuneSplit : kTestSplit);
    const CocoMatches matches = match_coco(truth, detect_all(*loaded.model, truth, loaded.category_ids, {}));
    result.stats = coco_metrics(truth, matches).stats;
    result.scores = score_quality(matches);
  }
  result.seconds = read_metrics(folder).clock.total();
  const ordered_json json{{"protocol", hash_},
                          {"run", run.name},
                          {"diverged", result.diverged},
                          {"iteration", result.iteration},
                          {"stats", list_of(result.stats)},
                          {"scores", json_of(result.scores)},
                          {"seconds", result.seconds}};
  write_file_atomically(result_file(folder), json_text(json) + "\n");
  // What the next step would need is not wanted any more; the weights of the final runs are.
  if (run.phase == Phase::tuning) fs::remove_all(folder + "/checkpoints");
  return result;
}

}  // namespace diopter
