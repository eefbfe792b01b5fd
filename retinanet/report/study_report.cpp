#include "retinanet/report/study_report.h"

#include <map>

#include "data/metrics/precision_recall.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/laboratory/comparison_tables.h"
#include "retinanet/report/chart.h"
#include "retinanet/report/sections.h"
#include "retinanet/training/metrics_file.h"

namespace diopter {

namespace {

/// Limits that the numbers of every study have (docs/comparing.md).
constexpr const char* kLimits[] = {
    "The intervals are over seeds: initial weights, data order, augmentation.",
    "With other pictures, or another draw of the tuning runs, the difference may be another.",
    "Nothing is said beyond what was tried: this network, these iterations, this data.",
    "“Not significant” is not “equal”: the width of the interval tells what could have been seen.",
    "Times are of a machine that may have done other things, too."};

Html html_of(const std::string& caption, const TextTable& all) {
  std::vector<std::vector<Html>> rows;
  for (const std::vector<std::string>& cells : all.rows) {
    std::vector<Html>& row = rows.emplace_back();
    for (const std::string& cell : cells) row.push_back(text_with_code(cell));
  }
  return table(caption, all.columns, rows);
}

Html list_of(const std::vector<std::string>& items) {
  Html all;
  for (const std::string& item : items) all += element("li", {}, text_with_code(item));
  return element("ul", {}, all);
}

const std::string& name_of(const Protocol& protocol, const Score& score) {
  return protocol.contestants[score.contestant].name;
}

Html result_section(const Protocol& p, const std::vector<Score>& scores) {
  std::vector<std::string> sentences;
  for (const Score& s : scores) sentences.push_back(name_of(p, s) + ": " + verdict(p, s));
  Html html = list_of(sentences);
  html += html_of("Result", score_table(p, scores));
  html += remark(kScoreCaption);
  return section("Result", html);
}

Html chart_section(const Protocol& p, const std::vector<Score>& scores) {
  IntervalChart ap{.title = "AP on the test split: mean and 95 % interval; rings are the single seeds",
                   .x_label = "AP in percent",
                   .rows = {}};
  IntervalChart difference{.title = "Paired differences to " + p.contestants[p.baseline].name +
                                    ": mean and 95 % interval; rings are the single seeds",
                           .x_label = "AP in percent, right of the dashed line: better than the baseline",
                           .rows = {},
                           .reference = 0};
  const std::vector<double>& base = scores[p.baseline].ap[0];
  for (const Score& s : scores) {
    IntervalChart::Row row{name_of(p, s), mean(s.ap[0]), s.interval, {}, ap.rows.size()};
    IntervalChart::Row paired{row.name, 0, {}, {}, row.style};
    for (std::size_t i = 0; i < s.ap[0].size(); ++i) {
      const std::string seed = "seed " + std::to_string(p.final_seeds[i]);
      row.values.emplace_back(seed, s.ap[0][i]);
      paired.values.emplace_back(seed, s.ap[0][i] - base[i]);
    }
    ap.rows.push_back(row);
    if (!s.difference) continue;
    paired.mean = s.difference->mean;
    paired.interval = s.difference->interval;
    difference.rows.push_back(paired);
  }
  return section("AP and difference to the baseline", charts({draw(ap), draw(difference)}));
}

/// AP on the tuning split over the learning rate, a line for each choice of the other settings.
Html tuning_chart(const Protocol& p, const Contestant& contestant, int index, const RunResults& results) {
  std::map<std::string, std::map<double, double>> lines;
  const std::vector<Configuration> tried = configurations_tried(p, index, results);
  for (std::size_t i = 0; i < tried.size(); ++i) {
    const Configuration& c = tried[i];
    const std::string settings = join(c.settings, " ", [](const Setting& setting) { return setting.text(); });
    lines[settings][c.lr] = 100 * tuning_ap(p, index, static_cast<int>(i), results);
  }
  LineChart chart{.title = contestant.name + ": AP on the tuning split, in percent",
                  .x_label = "learning rate",
                  .series = {},
                  .log_x = true,
                  .linear_y = true};
  for (const auto& [settings, points] : lines) {
    Series series{settings.empty() ? contestant.name : settings, {}};
    for (const auto& [lr, ap] : points) series.points.push_back({lr, ap});
    chart.series.push_back(series);
  }
  return draw(chart);
}

Html tuning_section(const Protocol& p, const RunResults& results, const std::vector<Score>& scores) {
  std::vector<Html> figures;
  for (const Score& s : scores) {
    const Contestant& contestant = p.contestants[s.contestant];
    if (s.near_best) figures.push_back(tuning_chart(p, contestant, s.contestant, results));
  }
  if (figures.empty()) return {};
  Html html = charts(figures);
  html += folded("All that was tried", html_of("Tuning", tuning_table(p, results, scores)));
  return section("Tuning", html);
}

/// Mean of a column of metrics.csv over the final runs that did not diverge.
Points mean_curve(const Study& study, const Score& score, const RunResults& results, const std::string& column) {
  std::map<double, std::vector<double>> values;
  for (const PlannedRun& run : final_runs(study.protocol(), score.contestant, score.configuration, results)) {
    if (results.at(run.name).diverged) continue;
    for (const auto& [iteration, value] : read_metrics(study.run_folder(run.name)).over_iterations(column)) {
      values[iteration].push_back(value);
    }
  }
  TrainingCurve curve;
  for (const auto& [iteration, all] : values) curve.add(iteration, mean(all));
  return curve.points();
}

Html loss_section(const Study& study, const RunResults& results, const std::vector<Score>& scores) {
  std::vector<Html> figures;
  for (const auto& [column, title] : {std::pair{"classification_loss", "Classification loss, mean of the final runs"},
                                      std::pair{"box_loss", "Box loss, mean of the final runs"},
                                      std::pair{"gradient_norm", "Gradient norm, mean of the final runs"}}) {
    LineChart chart{.title = title, .x_label = "iteration", .series = {}};
    for (const Score& s : scores) {
      chart.series.push_back({name_of(study.protocol(), s), mean_curve(study, s, results, column)});
    }
    figures.push_back(draw(chart));
  }
  Html html = charts(figures);
  if (html.markup.empty()) return html;
  html += remark("Values of different classification losses are no measure of quality: each has its own scale.");
  return section("Training", html);
}

}  // namespace

std::string study_report(const Study& study) {
  const Protocol& p = study.protocol();
  const RunResults results = study.results();
  const std::int64_t total = number_of_runs(p, results);
  DIOPTER_CHECK(static_cast<std::int64_t>(results.size()) == total, study.folder(), ": ", results.size(), " of ", total,
                " runs made; a report needs all (diopter compare --resume)");
  const std::vector<Score> scores = compare(p, results);
  Html body = list_of(protocol_lines(p));
  body += result_section(p, scores);
  body += chart_section(p, scores);
  std::vector<std::string> notes = caveats(p, scores);
  notes.insert(notes.end(), std::begin(kLimits), std::end(kLimits));
  body += section("Notes and limits", list_of(notes));
  body += tuning_section(p, results, scores);
  body += loss_section(study, results, scores);
  body += section("All runs", folded(std::to_string(total) + " runs", html_of("All runs", run_table(p, results))));
  body += section("Protocol", folded("protocol.toml", element("pre", {}, study.protocol_text())));
  body += origin_section(read_starts(study.folder()));
  return page(p.title, body);
}

void write_study_report(const Study& study) {
  write_file_atomically(study.folder() + "/report.html", study_report(study));
}

}  // namespace diopter
