#include "retinanet/report/run_report.h"

#include <algorithm>
#include <filesystem>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/config/config.h"
#include "retinanet/config/configure.h"
#include "retinanet/report/chart.h"
#include "retinanet/report/sections.h"
#include "retinanet/training/error_crops.h"
#include "retinanet/training/evaluation_file.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/setting_changes.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kPictures = 24, kClassCharts = 12;  // more pictures are left out, more charts folded

/// Contents of a run folder that the report is made of.
struct Run {
  std::string folder, config_text;
  Config config;
  RunMetrics metrics;
  std::optional<RunEvaluation> evaluation;
  std::optional<RunOutcome> outcome;
  std::vector<Start> starts;
};

Html state_box(const Run& run) {
  const std::string total = std::to_string(run.config.train.iterations);
  std::string style = "state", state;
  if (!run.outcome) {
    const auto iteration = run.metrics.last("iteration");
    state = "No end is recorded, at iteration " + formatted("%.0f", iteration.value_or(0)) + " of " + total +
            ": the run goes on, or it was killed.";
  } else {
    const std::string reached = std::to_string(run.outcome->iteration);
    if (run.outcome->state == "finished") {
      const std::string& left_out = run.outcome->message;
      state = "Finished after " + reached + " iterations" + (left_out.empty() ? "." : ": " + left_out + ".");
    } else if (run.outcome->state == "diverged") {
      style = "state bad";
      state = "Diverged at iteration " + reached + " of " + total + ": " + run.outcome->message;
    } else {
      state = "Stopped at iteration " + reached + " of " + total + "; the same command with --resume goes on.";
    }
  }
  return element("p", {{"class", style}}, state);
}

Html summary(const Run& run) {
  std::vector<Tile> all;
  if (run.evaluation) {
    const auto& stats = run.evaluation->stats;
    all = {{percent(stats.ap), "AP"}, {percent(stats.ap50), "AP50"}, {percent(stats.ap75), "AP75"}};
    double best = stats.ap;
    if (const auto ap = run.metrics.columns.find("AP"); ap != run.metrics.columns.end()) {
      best = std::max(best, ap->second.highest().value_or(best));
    }
    all.push_back({percent(best), "best AP"});
  }
  if (const double seconds = run.metrics.clock.total(); seconds > 0) all.push_back({format_duration(seconds), "time"});
  const auto add = [&](const char* column, const char* pattern, const char* name) {
    if (const auto value = run.metrics.last(column)) all.push_back({formatted(pattern, *value), name});
  };
  add("loss", "%.4g", "last loss");
  add("images_per_second", "%.1f", "pictures per second");
  add("peak_memory_mib", "%.0f MiB", "memory at most");
  Html html = tiles(all);
  if (run.evaluation) {
    html += remark("AP in percent, by COCO's rules on the validation set, of the weights after iteration " +
                   std::to_string(run.evaluation->iteration) + ".");
  } else {
    html += remark("There is no evaluation: the run has no validation set, or has not come to one.");
  }
  return html;
}

std::vector<Series> ap_series(const Run& run) {
  std::vector<Series> all;
  for (const char* name : {"AP", "AP50", "AP75"}) {
    Points points = run.metrics.over_iterations(name);
    std::erase_if(points, [](const auto& point) { return point[1] < 0; });  // there were no objects
    for (auto& point : points) point[1] *= 100;
    if (!points.empty()) all.push_back({name, points});
  }
  return all;
}

Html training_section(const Run& run) {
  std::size_t neighbours = 1;
  const auto series = [&](const std::string& name, const std::string& column) {
    const auto curve = run.metrics.columns.find(column);
    if (curve == run.metrics.columns.end()) return Series{name, {}};
    neighbours = std::max(neighbours, curve->second.neighbours());
    return Series{name, curve->second.points()};
  };
  const auto chart = [](const std::string& title, const std::vector<Series>& all, std::optional<Interval> range = {}) {
    return draw(LineChart{.title = title, .x_label = "iteration", .series = all, .y_range = range});
  };
  const auto hardest = [&](const std::string& quantity) {
    const std::string column = "negatives_" + quantity;
    return chart("Share of the negatives' " + quantity + " that the hardest of them carry",
                 {series("hardest 1 %", column + "_1"), series("5 %", column + "_5"), series("20 %", column + "_20")},
                 Interval{0, 1});
  };
  Html html = charts(
      {draw(LineChart{.title = "AP on the validation set, in percent",
                      .x_label = "iteration",
                      .series = ap_series(run),
                      .linear_y = true}),
       chart("Classification loss", {series("classification loss", "classification_loss")}),
       chart("Weight of the classification loss", {series("weight", "classification_weight")}),
       chart("Box loss", {series("box loss", "box_loss")}), chart("Learning rate", {series("learning rate", "lr")}),
       chart("Gradient norm", {series("gradient norm", "gradient_norm")}), hardest("loss"), hardest("gradient")});
  if (html.markup.empty()) html = paragraph("No step is recorded in `metrics.csv`.");
  if (neighbours > 1) {
    html += remark("Each point of a step is the mean of " + std::to_string(neighbours) + " lines of `metrics.csv`.");
  }
  return section("Training", html);
}

Html curve_chart(const std::string& title, const Curves& curves) {
  LineChart chart{.title = title, .x_label = "recall", .series = {}, .y_range = Interval{0, 1}};
  for (const auto& [name, curve] : {std::pair{"IoU 0.5", &curves.at50}, std::pair{"0.75", &curves.at75},
                                    std::pair{"mean over 0.5 to 0.95", &curves.range}}) {
    Series series{name, {}};
    for (int r = 0; r < kRecalls; ++r) series.points.push_back({kRecallPoints[r], (*curve)[r]});
    chart.series.push_back(series);
  }
  return draw(chart);
}

Html curve_section(const RunEvaluation& evaluation) {
  std::vector<Html> shown, rest;
  std::size_t with_objects = 0;
  for (const auto& c : evaluation.categories) with_objects += c.objects > 0;
  if (with_objects == 0) return {};
  shown.push_back(curve_chart("Precision over recall: mean over the classes", evaluation.mean));
  for (const auto& c : evaluation.categories) {
    if (c.objects == 0 || with_objects == 1) continue;
    (shown.size() <= kClassCharts ? shown : rest).push_back(curve_chart("Precision over recall: " + c.name, c.curves));
  }
  Html html = charts(shown);
  if (!rest.empty()) html += folded(std::to_string(rest.size()) + " more classes", charts(rest));
  return section("Precision and recall", html);
}

Html class_section(const RunEvaluation& evaluation) {
  std::vector<std::vector<Html>> rows;
  for (const auto& c : evaluation.categories) {
    std::vector<Html>& row = rows.emplace_back();
    row = {text(c.name), text(std::to_string(c.objects))};
    for (const double value : list_of(c.stats)) row.push_back(text(percent(value)));
  }
  std::vector<std::string> columns = {"class", "objects"};
  for (const CocoNumber& column : kCocoNumbers) columns.emplace_back(column.name);
  Html html = table("AP by class", columns, rows);
  if (evaluation.confusion) html += remark("At IoU 0.5, " + describe(*evaluation.confusion) + ".");
  return section("Classes", html);
}

/// From which score on detections are best taken; nothing where none was right.
Html score_section(const RunEvaluation& evaluation) {
  if (!evaluation.best) return {};
  std::vector<std::vector<Html>> rows;
  const auto add = [&rows](const std::string& name, const OperatingPoint& point) {
    std::vector<Html>& row = rows.emplace_back(std::vector<Html>{text(name), text(formatted("%.3f", point.score))});
    for (const double share : {point.f1, point.precision, point.recall}) row.push_back(text(percent(share)));
  };
  for (const auto& c : evaluation.categories) {
    if (c.best) add(c.name, *c.best);
  }
  add("one score for all", *evaluation.best);
  Html html = table("Scores of largest F1 at IoU 0.5", {"class", "score", "F1", "precision", "recall"}, rows);
  html += remark(
      "Detections with at least this score are the best compromise of precision and recall; `diopter detect` takes "
      "those of its checkpoint unless `--score` or `--thresholds` says otherwise.");
  return section("Scores", html);
}

Html size_section(const RunEvaluation& evaluation) {
  struct Size {
    const char* name;
    Area area;
    double CocoNumbers::*ap, CocoNumbers::*ar;
  };
  std::vector<std::vector<Html>> rows;
  for (const auto& [name, area, ap, ar] :
       {Size{"small, up to 32² pixels", kSmall, &CocoNumbers::ap_small, &CocoNumbers::ar_small},
        Size{"medium, up to 96²", kMedium, &CocoNumbers::ap_medium, &CocoNumbers::ar_medium},
        Size{"large, beyond", kLarge, &CocoNumbers::ap_large, &CocoNumbers::ar_large},
        Size{"all", kAll, &CocoNumbers::ap, &CocoNumbers::ar100}}) {
    rows.push_back({text(name), text(std::to_string(evaluation.objects[area])), text(percent(evaluation.stats.*ap)),
                    text(percent(evaluation.stats.*ar))});
  }
  Html html = table("AP and AR by size of the objects", {"objects", "number", "AP", "AR"}, rows);
  if (evaluation.unreadable > 0) {
    html += remark("Without " + std::to_string(evaluation.unreadable) + " of the " +
                   std::to_string(evaluation.pictures + evaluation.unreadable) +
                   " validation pictures, which cannot be read.");
  }
  return section("Sizes", html);
}

Html picture_section(const Run& run) {
  std::vector<fs::path> files;
  std::error_code none;
  for (const auto& entry : fs::directory_iterator(pictures_folder(run.folder), none)) {
    if (entry.path().extension() == ".jpg") files.push_back(entry.path());
  }
  if (files.empty()) return {};
  std::sort(files.begin(), files.end());
  Html pictures;
  for (std::size_t i = 0; i < std::min(files.size(), kPictures); ++i) {
    const std::string name = files[i].stem().string();
    Html inside = empty_element("img", {{"src", data_uri("image/jpeg", read_file(files[i]))},
                                        {"alt", "Picture " + name + " with its detections"}});
    inside += element("figcaption", {}, name);
    pictures += element("figure", {}, inside);
    pictures += {"\n"};
  }
  Html html = element("div", {{"class", "pictures"}}, pictures);
  html += remark("Validation pictures with the detections of the last evaluation; the true boxes are white.");
  if (files.size() > kPictures) {
    html += remark(std::to_string(files.size() - kPictures) + " more are in `pictures/`.");
  }
  return section("Detections", html);
}

/// Crops of one kind of errors, whose files begin so.
Html error_figures(const Run& run, const std::string& kind) {
  Html figures;
  for (const RunEvaluation::Error& error : run.evaluation->errors) {
    const std::string file = errors_folder(run.folder) + "/" + error.crop;
    if (!error.crop.starts_with(kind) || fs::path(error.crop).filename() != error.crop || !file_exists(file)) continue;
    const std::string what = error.category + (error.score > 0 ? formatted(" %.2f", error.score) : "");
    Html inside = empty_element("img", {{"src", data_uri("image/jpeg", read_file(file))}, {"alt", what}});
    inside += element("figcaption", {}, what + ", " + error.picture);
    figures += element("figure", {}, inside);
    figures += {"\n"};
  }
  return figures.markup.empty() ? Html{} : element("div", {{"class", "crops"}}, figures);
}

Html error_section(const Run& run) {
  const Html found = error_figures(run, "false"), missed = error_figures(run, "missed");
  Html html;
  if (!found.markup.empty()) html += remark("Detections that match no object at IoU 0.5, with the highest scores:");
  html += found;
  if (!missed.markup.empty()) {
    html += remark("Objects that no detection of their class matches with the score of largest F1, the largest ones:");
  }
  html += missed;
  return html.markup.empty() ? html : section("Worst errors", html);
}

Run read_run(const std::string& folder) {
  const std::string file = config_file(folder), config = read_file(file);
  return {folder,
          config,
          parse_config(config, file),
          read_metrics(folder),
          read_evaluation(folder),
          read_outcome(folder),
          read_starts(folder)};
}

}  // namespace

bool is_run_folder(const std::string& folder) { return file_exists(config_file(folder)); }

std::string run_report(const std::string& folder) {
  const Run run = read_run(folder);
  Html body = state_box(run);
  body += summary(run);
  body += training_section(run);
  if (run.evaluation) {
    body += curve_section(*run.evaluation);
    body += class_section(*run.evaluation);
    body += score_section(*run.evaluation);
    body += size_section(*run.evaluation);
  }
  body += picture_section(run);
  if (run.evaluation) body += error_section(run);
  body += origin_section(run.starts);
  Html configuration;
  for (const std::string& change : read_change_comments(run.config_text)) configuration += paragraph(change);
  configuration += folded("config.toml: every setting", element("pre", {}, run.config_text));
  body += section("Configuration", configuration);
  return page("Training run: " + folder_name(folder), body);
}

void write_run_report(const std::string& folder) { write_file_atomically(folder + "/report.html", run_report(folder)); }

}  // namespace diopter
