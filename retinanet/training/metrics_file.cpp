#include "retinanet/training/metrics_file.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <iterator>
#include <limits>

#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

using Fields = std::vector<std::string>;

constexpr const char *kIteration = "iteration", *kSeconds = "seconds";

/// Six digits: enough to draw, and what the files of all versions have.
std::string digits(double value) { return formatted("%g", value); }

struct StepColumn {
  const char* name;
  std::string (*text)(const StepReport&);
};

constexpr StepColumn kStepColumns[] = {
    {kSeconds, [](const StepReport& s) { return digits(s.seconds); }},
    {"lr", [](const StepReport& s) { return digits(s.lr); }},
    {"loss", [](const StepReport& s) { return digits(s.classification_loss + s.box_loss); }},
    {"classification_loss", [](const StepReport& s) { return digits(s.classification_loss); }},
    {"box_loss", [](const StepReport& s) { return digits(s.box_loss); }},
    {"positives", [](const StepReport& s) { return std::to_string(s.positives); }},
    {"gradient_norm", [](const StepReport& s) { return digits(s.gradient_norm); }},
    {"images_per_second", [](const StepReport& s) { return digits(s.images_per_second); }},
    {"peak_memory_mib", [](const StepReport& s) { return digits(s.peak_memory_mib); }},
};

/// Columns that the first versions did not have, behind all that they had.
constexpr StepColumn kLaterStepColumns[] = {
    {"classification_weight",
     [](const StepReport& s) { return s.classification_weight ? digits(*s.classification_weight) : std::string(); }},
};

/// "negatives_loss_5" for the share of the loss that the hardest 5 % carry.
std::string hardest_column(const std::string& quantity, std::size_t i) {
  return "negatives_" + quantity + "_" + digits(100 * kHardest[i]);
}

/// Calls f(fields, columns, number) for each whole line behind the first; `number` is the line's in the file. Returns
/// the columns, which the first line names; none when not even that is whole.
template <class F>
Fields for_each_line(const std::string& file, const F& f) {
  std::ifstream in(file, std::ios::binary);
  DIOPTER_CHECK(in, file, ": cannot be read: ", std::strerror(errno));
  Fields columns;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line) && !in.eof();) {
    ++number;
    const std::optional<Fields> fields = csv_fields(line);
    DIOPTER_CHECK(fields, file, ":", number, ": a quote is not closed");
    if (number == 1) {
      DIOPTER_CHECK(fields->front() == kIteration, file, ":1: is no metrics.csv of diopter train");
      columns = *fields;
      continue;
    }
    DIOPTER_CHECK(fields->size() == columns.size(), file, ":", number, ": ", fields->size(), " fields instead of ",
                  columns.size());
    f(*fields, columns, number);
  }
  DIOPTER_CHECK(!in.bad(), file, ": cannot be read");
  return columns;
}

/// The number in a field; NaN where it is empty.
double number_in(const Fields& fields, const Fields& columns, std::size_t column, const std::string& file,
                 std::size_t number) {
  const std::string& field = fields[column];
  const bool left_empty = field.empty() && columns[column] != kIteration;
  const auto value = left_empty ? std::numeric_limits<double>::quiet_NaN() : parse_number(field);
  DIOPTER_CHECK(value, file, ":", number, ": '", field, "' in the column ", columns[column], " is no number");
  return *value;
}

Fields columns_of_file(const std::string& file) {
  constexpr std::size_t kLongestHeader = 1 << 16;
  if (!file_exists(file)) return {};
  const std::string begin = read_file(file, kLongestHeader), header = begin.substr(0, begin.find('\n'));
  return header.empty() ? Fields{} : csv_fields(header).value_or(Fields{});
}

void append(const std::string& folder, const MetricsLine& fields) {
  const std::string file = metrics_file(folder);
  Fields columns = columns_of_file(file);
  CsvText csv;
  if (columns.empty()) csv.line(columns = metrics_columns());
  for (const std::string& column : columns) {
    const auto field = fields.find(column);
    csv << (field == fields.end() ? std::string() : field->second);
  }
  csv.end_line();
  append_to_file(file, csv.text());
}

}  // namespace

std::string metrics_file(const std::string& folder) { return folder + "/metrics.csv"; }

std::vector<std::string> metrics_columns() {
  Fields columns = {kIteration};
  for (const StepColumn& column : kStepColumns) columns.emplace_back(column.name);
  for (const CocoNumber& column : kCocoNumbers) columns.emplace_back(column.name);
  for (const char* quantity : {"loss", "gradient"}) {
    for (std::size_t i = 0; i < kHardest.size(); ++i) columns.push_back(hardest_column(quantity, i));
  }
  for (const StepColumn& column : kLaterStepColumns) columns.emplace_back(column.name);
  return columns;
}

MetricsLine metrics_line(const StepReport& step) {
  MetricsLine fields = {{kIteration, std::to_string(step.iteration)}};
  for (const StepColumn& column : kStepColumns) fields[column.name] = column.text(step);
  for (const StepColumn& column : kLaterStepColumns) fields[column.name] = column.text(step);
  for (std::size_t i = 0; step.hardest_negatives && i < kHardest.size(); ++i) {
    fields[hardest_column("loss", i)] = digits(step.hardest_negatives->loss[i]);
    fields[hardest_column("gradient", i)] = digits(step.hardest_negatives->gradient[i]);
  }
  std::erase_if(fields, [](const auto& field) { return field.second.empty(); });
  return fields;
}

MetricsLine metrics_line(std::int64_t iteration, const CocoMetrics& metrics) {
  MetricsLine fields = {{kIteration, std::to_string(iteration)}};
  for (const CocoNumber& column : kCocoNumbers) fields[column.name] = digits(metrics.stats.*column.value);
  return fields;
}

void append_step(const std::string& folder, const StepReport& step) { append(folder, metrics_line(step)); }

void append_evaluation(const std::string& folder, std::int64_t iteration, const CocoMetrics& metrics) {
  append(folder, metrics_line(iteration, metrics));
}

void rewind_metrics(const std::string& folder, std::int64_t iteration, bool evaluated_again) {
  const std::string file = metrics_file(folder);
  if (!file_exists(file)) return;
  const auto last = static_cast<double>(iteration);
  CsvText kept;
  Fields all = for_each_line(file, [&](Fields fields, const Fields& columns, std::size_t number) {
    const double at = number_in(fields, columns, 0, file, number);
    const auto ap = std::find(columns.begin(), columns.end(), kCocoNumbers[0].name) - columns.begin();
    const bool evaluation = ap < std::ssize(columns) && !fields[static_cast<std::size_t>(ap)].empty();
    if (at > last || (at == last && evaluation && evaluated_again)) return;
    for (const std::string& column : metrics_columns()) {
      if (std::count(columns.begin(), columns.end(), column) == 0) fields.emplace_back();
    }
    kept.line(fields);
  });
  for (const std::string& column : metrics_columns()) {
    if (std::count(all.begin(), all.end(), column) == 0) all.push_back(column);
  }
  write_file_atomically(file, CsvText(all).text() + kept.text());
}

Points RunMetrics::over_iterations(const std::string& column) const {
  const auto found = columns.find(column);
  return found == columns.end() ? Points{} : found->second.points();
}

std::optional<double> RunMetrics::last(const std::string& column) const {
  const auto found = columns.find(column);
  return found == columns.end() ? std::nullopt : found->second.last();
}

RunMetrics read_metrics(const std::string& folder) {
  const std::string file = metrics_file(folder);
  RunMetrics metrics;
  if (!file_exists(file)) return metrics;
  const Fields columns = for_each_line(file, [&](const Fields& fields, const Fields& names, std::size_t number) {
    const double iteration = number_in(fields, names, 0, file, number);
    for (std::size_t i = 0; i < fields.size(); ++i) {
      const double value = number_in(fields, names, i, file, number);
      if (std::isnan(value)) continue;
      metrics.columns[names[i]].add(iteration, value);
      if (names[i] == kSeconds) metrics.clock.add(value);
    }
  });
  for (const std::string& column : columns) metrics.columns[column];  // those without a number, too
  return metrics;
}

void TrainingClock::add(double seconds) {
  total_ += seconds < before_ ? seconds : seconds - before_;
  before_ = seconds;
}

}  // namespace diopter
