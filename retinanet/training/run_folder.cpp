#include "retinanet/training/run_folder.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string_view>

#include "kernels/base/files.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "retinanet/training/provenance.h"
#include "retinanet/training/evaluation_file.h"

namespace diopter {

namespace {

constexpr const char* kHeader =
    "iteration,seconds,lr,loss,classification_loss,box_loss,positives,gradient_norm,images_per_second,peak_memory_mib,"
    "AP,AP50,AP75,APs,APm,APl,AR1,AR10,AR100,ARs,ARm,ARl,"
    "negatives_loss_1,negatives_loss_5,negatives_loss_20,negatives_gradient_1,negatives_gradient_5,negatives_gradient_20\n";

std::string metrics_file(const std::string& folder) { return folder + "/metrics.csv"; }
std::string outcome_file(const std::string& folder) { return folder + "/outcome.json"; }

void append(const std::string& folder, const std::string& line) {
  const std::string file = metrics_file(folder);
  const bool fresh = !std::filesystem::exists(file);
  std::ofstream out(file, std::ios::app);
  if (fresh) out << kHeader;
  out << line << '\n' << std::flush;
  DIOPTER_CHECK(out, file, ": cannot write");
}

std::vector<std::string_view> split(std::string_view line) {
  std::vector<std::string_view> fields;
  for (std::size_t comma; (comma = line.find(',')) != std::string_view::npos; line.remove_prefix(comma + 1)) {
    fields.push_back(line.substr(0, comma));
  }
  fields.push_back(line);
  return fields;
}

/// Drops the lines of metrics.csv beyond the iteration.
void truncate_metrics(const std::string& folder, std::int64_t iteration) {
  std::ifstream in(metrics_file(folder));
  if (!in) return;
  std::string kept, line;
  while (std::getline(in, line)) {
    const bool header = line.empty() || line[0] < '0' || line[0] > '9';
    if (header || std::stoll(line) <= iteration) kept += line + '\n';
  }
  write_file_atomically(metrics_file(folder), kept);
}

}  // namespace

std::string last_checkpoint(const std::string& folder) { return folder + "/checkpoints/last.safetensors"; }
std::string best_checkpoint(const std::string& folder) { return folder + "/checkpoints/best.safetensors"; }
std::string config_file(const std::string& folder) { return folder + "/config.toml"; }
std::string pictures_folder(const std::string& folder) { return folder + "/pictures"; }

void create_run_folder(const std::string& folder) {
  DIOPTER_CHECK(!std::filesystem::exists(last_checkpoint(folder)), folder,
                ": holds a run already; go on with --resume or choose another folder");
  std::error_code error;
  for (const char* part : {"/checkpoints", "/pictures"}) {
    std::filesystem::create_directories(folder + part, error);
    DIOPTER_CHECK(!error, folder, part, ": cannot be made: ", error.message());
  }
  for (const std::string& file :
       {metrics_file(folder), outcome_file(folder), evaluation_file(folder), origin_file(folder)}) {
    std::filesystem::remove(file, error);
  }
}

void rewind_run_folder(const std::string& folder, std::int64_t iteration) {
  truncate_metrics(folder, iteration);
  std::error_code ignored;
  std::filesystem::remove(outcome_file(folder), ignored);
}

void append_step(const std::string& folder, const StepReport& s) {
  std::ostringstream line;
  line << s.iteration << ',' << s.seconds << ',' << s.lr << ',' << s.classification_loss + s.box_loss << ','
       << s.classification_loss << ',' << s.box_loss << ',' << s.positives << ',' << s.gradient_norm << ','
       << s.images_per_second << ',' << s.peak_memory_mib << ",,,,,,,,,,,,";
  if (s.hardest_negatives) {
    for (const double share : s.hardest_negatives->loss) line << ',' << share;
    for (const double share : s.hardest_negatives->gradient) line << ',' << share;
  } else {
    line << ",,,,,,";
  }
  append(folder, line.str());
}

void append_evaluation(const std::string& folder, std::int64_t iteration, const CocoMetrics& metrics) {
  std::ostringstream line;
  line << iteration << ",,,,,,,,,";
  for (double value : metrics.stats) line << ',' << value;
  line << ",,,,,,";
  append(folder, line.str());
}

std::vector<std::array<double, 2>> RunMetrics::over_iterations(const std::string& column) const {
  std::vector<std::array<double, 2>> points;
  const auto values = columns.find(column);
  if (values == columns.end()) return points;
  const std::vector<double>& iterations = columns.at("iteration");
  for (std::size_t i = 0; i < iterations.size(); ++i) {
    if (!std::isnan(values->second[i])) points.push_back({iterations[i], values->second[i]});
  }
  return points;
}

RunMetrics read_metrics(const std::string& folder) {
  const std::string file = metrics_file(folder);
  RunMetrics metrics;
  if (!file_exists(file)) return metrics;
  const std::string bytes = read_file(file);
  std::string_view text = bytes;
  std::vector<std::string> names;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    DIOPTER_CHECK(end != std::string_view::npos, file, ":", number, ": the line is cut off");
    const std::vector<std::string_view> fields = split(text.substr(0, end));
    text.remove_prefix(end + 1);
    if (number == 1) {
      DIOPTER_CHECK(fields[0] == "iteration", file, ":1: is no metrics.csv of diopter train");
      names.assign(fields.begin(), fields.end());
      continue;
    }
    DIOPTER_CHECK(fields.size() == names.size(), file, ":", number, ": ", fields.size(), " fields instead of ",
                  names.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const bool left_empty = fields[i].empty() && i > 0;
      const auto value = left_empty ? std::numeric_limits<double>::quiet_NaN() : parse_number(fields[i]);
      DIOPTER_CHECK(value, file, ":", number, ": '", fields[i], "' in the column ", names[i], " is no number");
      metrics.columns[names[i]].push_back(*value);
    }
  }
  return metrics;
}

void TrainingClock::add(double seconds) {
  total_ += seconds < before_ ? seconds : seconds - before_;
  before_ = seconds;
}

void write_outcome(const std::string& folder, const RunOutcome& outcome) {
  const nlohmann::ordered_json json{
      {"state", outcome.state}, {"iteration", outcome.iteration}, {"message", outcome.message}};
  write_file_atomically(outcome_file(folder),
                        json.dump(1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

std::optional<RunOutcome> read_outcome(const std::string& folder) {
  const std::string file = outcome_file(folder);
  if (!file_exists(file)) return {};
  try {
    const auto json = nlohmann::json::parse(read_file(file));
    return RunOutcome{json.at("state"), json.at("iteration"), json.at("message")};
  } catch (const nlohmann::json::exception&) {
    fail(file, ": does not say how a run ended");
  }
}

}  // namespace diopter
