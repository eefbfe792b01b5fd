#include "retinanet/training/metrics_file.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <string_view>

#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

using Fields = std::vector<std::string>;

constexpr const char* kIteration = "iteration";

/// Six digits: enough to draw, and what the files of all versions have.
std::string digits(double value) { return formatted("%g", value); }

struct StepColumn {
  const char* name;
  std::string (*text)(const StepReport&);
};

constexpr StepColumn kStepColumns[] = {
    {"seconds", [](const StepReport& s) { return digits(s.seconds); }},
    {"lr", [](const StepReport& s) { return digits(s.lr); }},
    {"loss", [](const StepReport& s) { return digits(s.classification_loss + s.box_loss); }},
    {"classification_loss", [](const StepReport& s) { return digits(s.classification_loss); }},
    {"box_loss", [](const StepReport& s) { return digits(s.box_loss); }},
    {"positives", [](const StepReport& s) { return std::to_string(s.positives); }},
    {"gradient_norm", [](const StepReport& s) { return digits(s.gradient_norm); }},
    {"images_per_second", [](const StepReport& s) { return digits(s.images_per_second); }},
    {"peak_memory_mib", [](const StepReport& s) { return digits(s.peak_memory_mib); }},
};

/// "negatives_loss_5" for the share of the loss that the hardest 5 % carry.
std::string hardest_column(const std::string& quantity, std::size_t i) {
  return "negatives_" + quantity + "_" + digits(100 * kHardest[i]);
}

/// The file's lines as text.
struct Table {
  Fields columns;
  std::vector<Fields> lines;
  bool cut_off = false;  // behind the last line is the beginning of another
};

Table read_table(const std::string& file) {
  const std::string bytes = read_file(file);
  std::string_view text = bytes;
  Table table;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t end = text.find('\n');
    table.cut_off = end == std::string_view::npos;
    if (table.cut_off) break;
    const std::optional<Fields> fields = csv_fields(text.substr(0, end));
    DIOPTER_CHECK(fields, file, ":", number, ": a quote is not closed");
    text.remove_prefix(end + 1);
    if (number == 1) {
      DIOPTER_CHECK(fields->front() == kIteration, file, ":1: is no metrics.csv of diopter train");
      table.columns = *fields;
      continue;
    }
    DIOPTER_CHECK(fields->size() == table.columns.size(), file, ":", number, ": ", fields->size(),
                  " fields instead of ", table.columns.size());
    table.lines.push_back(*fields);
  }
  return table;
}

/// Numbers of one line; `number` is the line's in the file.
std::vector<double> numbers_of(const Fields& fields, const Fields& columns, const std::string& file,
                               std::size_t number) {
  std::vector<double> values;
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const bool left_empty = fields[i].empty() && i > 0;
    const auto value = left_empty ? std::numeric_limits<double>::quiet_NaN() : parse_number(fields[i]);
    DIOPTER_CHECK(value, file, ":", number, ": '", fields[i], "' in the column ", columns[i], " is no number");
    values.push_back(*value);
  }
  return values;
}

Fields columns_of_file(const std::string& file) {
  std::ifstream in(file);
  std::string header;
  std::getline(in, header);
  return header.empty() ? Fields{} : csv_fields(header).value_or(Fields{});
}

void append(const std::string& folder, const std::map<std::string, std::string>& fields) {
  const std::string file = metrics_file(folder);
  Fields columns = columns_of_file(file);
  CsvText csv;
  if (columns.empty()) csv.line(columns = metrics_columns());
  for (const std::string& column : columns) {
    const auto field = fields.find(column);
    csv << (field == fields.end() ? std::string() : field->second);
  }
  csv.end_line();
  std::ofstream out(file, std::ios::app);
  out << csv.text() << std::flush;
  DIOPTER_CHECK(out, file, ": cannot write");
}

}  // namespace

std::string metrics_file(const std::string& folder) { return folder + "/metrics.csv"; }

std::vector<std::string> metrics_columns() {
  Fields columns = {kIteration};
  for (const StepColumn& column : kStepColumns) columns.emplace_back(column.name);
  for (const CocoColumn& column : kCocoColumns) columns.emplace_back(column.name);
  for (const char* quantity : {"loss", "gradient"}) {
    for (std::size_t i = 0; i < kHardest.size(); ++i) columns.push_back(hardest_column(quantity, i));
  }
  return columns;
}

void append_step(const std::string& folder, const StepReport& step) {
  std::map<std::string, std::string> fields = {{kIteration, std::to_string(step.iteration)}};
  for (const StepColumn& column : kStepColumns) fields[column.name] = column.text(step);
  for (std::size_t i = 0; step.hardest_negatives && i < kHardest.size(); ++i) {
    fields[hardest_column("loss", i)] = digits(step.hardest_negatives->loss[i]);
    fields[hardest_column("gradient", i)] = digits(step.hardest_negatives->gradient[i]);
  }
  append(folder, fields);
}

void append_evaluation(const std::string& folder, std::int64_t iteration, const CocoMetrics& metrics) {
  std::map<std::string, std::string> fields = {{kIteration, std::to_string(iteration)}};
  for (const CocoColumn& column : kCocoColumns) fields[column.name] = digits(metrics.stats.*column.value);
  append(folder, fields);
}

void rewind_metrics(const std::string& folder, std::int64_t iteration) {
  const std::string file = metrics_file(folder);
  if (!file_exists(file)) return;
  Table table = read_table(file);
  const std::size_t old_columns = table.columns.size();
  for (const std::string& column : metrics_columns()) {
    if (std::count(table.columns.begin(), table.columns.end(), column) == 0) table.columns.push_back(column);
  }
  CsvText csv(table.columns);
  for (std::size_t i = 0; i < table.lines.size(); ++i) {
    Fields& fields = table.lines[i];
    const Fields names(table.columns.begin(), table.columns.begin() + static_cast<std::ptrdiff_t>(old_columns));
    if (numbers_of(fields, names, file, i + 2)[0] > static_cast<double>(iteration)) continue;
    fields.resize(table.columns.size());
    csv.line(fields);
  }
  write_file_atomically(file, csv.text());
}

std::vector<std::array<double, 2>> RunMetrics::over_iterations(const std::string& column) const {
  std::vector<std::array<double, 2>> points;
  const auto values = columns.find(column);
  if (values == columns.end()) return points;
  const std::vector<double>& iterations = columns.at(kIteration);
  for (std::size_t i = 0; i < iterations.size(); ++i) {
    if (!std::isnan(values->second[i])) points.push_back({iterations[i], values->second[i]});
  }
  return points;
}

std::optional<double> RunMetrics::last(const std::string& column) const {
  const std::vector<std::array<double, 2>> points = over_iterations(column);
  return points.empty() ? std::nullopt : std::optional(points.back()[1]);
}

double RunMetrics::seconds() const {
  TrainingClock clock;
  for (const std::array<double, 2>& point : over_iterations("seconds")) clock.add(point[1]);
  return clock.total();
}

RunMetrics read_metrics(const std::string& folder, LastLine last_line) {
  const std::string file = metrics_file(folder);
  RunMetrics metrics;
  if (!file_exists(file)) return metrics;
  const Table table = read_table(file);
  DIOPTER_CHECK(!table.cut_off || last_line == LastLine::may_be_cut_off, file, ":",
                table.lines.size() + (table.columns.empty() ? 1 : 2), ": the line is cut off");
  for (std::size_t i = 0; i < table.lines.size(); ++i) {
    const std::vector<double> values = numbers_of(table.lines[i], table.columns, file, i + 2);
    for (std::size_t k = 0; k < values.size(); ++k) metrics.columns[table.columns[k]].push_back(values[k]);
  }
  return metrics;
}

void TrainingClock::add(double seconds) {
  total_ += seconds < before_ ? seconds : seconds - before_;
  before_ = seconds;
}

}  // namespace diopter
