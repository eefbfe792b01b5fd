// diopter evaluate: average precision of a model, or of detections in a file, against annotations.
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "data/readers/coco.h"
#include "data/unreadable_pictures.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/network/detect.h"
#include "tools/command/command.h"
#include "tools/command/model.h"
#include "tools/command/progress.h"
#include "tools/command/reading.h"
#include "tools/command/thresholds.h"
#include "tools/evaluate/arrays.h"
#include "tools/evaluate/coco_options.h"
#include "tools/evaluate/missing_labels.h"
#include "tools/evaluate/report.h"

namespace diopter {

namespace {

struct EvaluateRequest {
  ModelRequest model;
  std::vector<std::string> annotations;
  std::string images, detections, metric = "coco", json, csv;
  Reading reading;
  CocoOptions coco;
  std::string categories, arrays, thresholds, against, missing_labels;
  double score = 0.5;
  std::uint64_t seed = 0;
  int bootstrap = 0;  // resamples
  bool plus_one = false, errors = false, skip_missing = false, renumber = false, calibration = false;
};

/// Leaves out of the set what cannot be read, with a warning, or throws Error that says what to do.
void leave_out(const std::vector<UnreadablePicture>& unreadable, Dataset& truth, bool skip_missing) {
  if (unreadable.empty()) return;
  const std::string text = describe(unreadable, truth.images.size(), "pictures");
  DIOPTER_CHECK(skip_missing, text, " (--skip-missing evaluates the others)");
  DIOPTER_CHECK(unreadable.size() < truth.images.size(), text);
  print_warnings({text + "; they are left out"});
  truth = without(std::move(truth), unreadable);
}

std::vector<Detection> detections_of_model(const RetinaNet& model, Dataset& truth, bool skip_missing) {
  leave_out(unreadable_pictures(truth, Look::header), truth, skip_missing);
  std::vector<std::int64_t> ids;
  for (const Category& c : truth.categories) ids.push_back(c.id);
  Progress progress("evaluate", static_cast<std::int64_t>(truth.images.size()), "images");
  std::vector<UnreadablePicture> damaged;
  std::vector<Detection> detections = detect_all(
      model, truth, ids, [&](std::int64_t done, std::int64_t) { progress.update(done); }, &damaged);
  leave_out(damaged, truth, skip_missing);
  return detections;
}

void check_request(const EvaluateRequest& request) {
  DIOPTER_CHECK(request.model.checkpoint.empty() != request.detections.empty(),
                "evaluate needs either --checkpoint or --detections");
  DIOPTER_CHECK(request.model.settings.empty() || !request.model.checkpoint.empty(), "--set needs --checkpoint");
  if (!request.missing_labels.empty()) check_missing_labels_folder(request.missing_labels);
  if (request.metric == "coco") return;
  for (const auto& [given, option] :
       {std::pair{request.errors, "--errors"}, std::pair{!request.csv.empty(), "--csv"},
        std::pair{request.bootstrap > 0, "--bootstrap"}, std::pair{!request.coco.areas.empty(), "--areas"},
        std::pair{!request.coco.max_detections.empty(), "--max-detections"},
        std::pair{!request.arrays.empty(), "--arrays"}, std::pair{request.renumber, "--renumber"},
        std::pair{!request.thresholds.empty(), "--thresholds"}, std::pair{request.calibration, "--calibration"},
        std::pair{!request.against.empty(), "--against"}}) {
    DIOPTER_CHECK(!given, option, " needs --metric coco, not ", request.metric);
  }
}

/// `against`: the other detections of --against.
CocoReport evaluate_coco(const Dataset& truth, const std::vector<Detection>& detections,
                         const std::vector<Detection>& against, const CocoSettings& settings,
                         const EvaluateRequest& request) {
  CocoReport report;
  report.categories_chosen = !request.categories.empty();
  report.renumbered = request.renumber;
  report.matches = match_coco(truth, detections, settings);
  report.metrics = coco_metrics(truth, report.matches);
  print_warnings(report.metrics.warnings);
  if (report.matches.cut_images > 0) {
    print_warnings({std::to_string(report.matches.cut_images) + " of the " + std::to_string(truth.images.size()) +
                    " pictures have more than " + std::to_string(settings.max_detections.back()) +
                    " detections of a class: those with lower scores do not count (--max-detections counts more)"});
  }
  const bool tables = !request.csv.empty();
  const bool at50 = settings.threshold(0.5) >= 0;  // what the breakdown of errors starts from
  if (request.errors || (tables && at50)) report.errors = detection_errors(truth, detections, report.matches);
  if (tables) report.confusion = confusion_matrix(truth, detections, request.score);
  if (!request.thresholds.empty()) report.operating_points = best_operating_points(report.matches);
  if (request.calibration) report.calibration = calibration(report.matches);
  if (!request.against.empty()) {
    constexpr int kResamples = 1000;  // without --bootstrap
    const int resamples = request.bootstrap > 0 ? request.bootstrap : kResamples;
    Progress progress("against", 2 * std::int64_t{resamples}, "resamples");
    report.against = request.against;
    report.differences = paired_bootstrap(report.matches, match_coco(truth, against, settings),
                                          {.resamples = resamples, .seed = request.seed},
                                          [&](std::int64_t done, std::int64_t) { progress.update(done); });
  }
  if (request.bootstrap > 0) {
    Progress progress("bootstrap", request.bootstrap, "resamples");
    report.intervals = bootstrap_intervals(report.matches, {.resamples = request.bootstrap, .seed = request.seed},
                                           [&](std::int64_t done, std::int64_t) { progress.update(done); });
  }
  return report;
}

void write_thresholds(const std::string& file, const Dataset& truth, const OperatingPoints& points) {
  std::vector<std::string> names;
  for (const Category& category : truth.categories) names.push_back(category.name);
  write_file_atomically(file, thresholds_text(points, names));
}

void evaluate(const EvaluateRequest& request) {
  check_request(request);
  const bool coco = request.metric == "coco";
  const CocoSettings settings = coco ? coco_settings(request.coco) : CocoSettings();
  DIOPTER_CHECK(!request.errors || settings.threshold(0.5) >= 0, "--errors needs 0.5 among the thresholds of --iou");
  const VocOptions voc = {.iou_threshold = coco ? 0.5 : voc_threshold(request.coco.iou),
                          .eleven_point = request.metric == "voc07",
                          .plus_one = request.plus_one};
  LoadedModel loaded;
  if (!request.model.checkpoint.empty()) loaded = open_model(request.model);
  ReadOptions options = read_options(request.reading, request.images, loaded.classes, DatasetSplit::val);
  options.find_pictures = loaded.model != nullptr;
  Dataset truth = read_dataset(request.reading.format, request.annotations, options);
  print_origin(request.annotations, truth);
  std::vector<std::string> warnings = truth.warnings;
  std::vector<Detection> detections = loaded.model ? detections_of_model(*loaded.model, truth, request.skip_missing)
                                                   : read_coco_results(request.detections, truth, warnings);
  std::vector<Detection> against;
  if (!request.against.empty()) against = read_coco_results(request.against, truth, warnings);
  print_warnings(warnings);
  if (!request.categories.empty()) select_categories(truth, detections, request.categories);
  if (request.renumber) renumber_annotations(truth);

  std::string json;
  if (coco) {
    const CocoReport report = evaluate_coco(truth, detections, against, settings, request);
    print_report(report);
    if (report.operating_points) write_thresholds(request.thresholds, truth, *report.operating_points);
    if (!request.csv.empty()) write_tables(report, request.csv);
    if (!request.arrays.empty()) write_arrays(request.arrays, truth, report.matches);
    json = json_text(report);
  } else {
    const VocMetrics metrics = voc_metrics(truth, detections, voc);
    print_report(metrics);
    json = json_text(metrics, voc);
  }
  if (!request.missing_labels.empty()) {
    const std::vector<MissingLabel> labels = likely_missing_labels(truth, detections, request.score);
    write_missing_labels(request.missing_labels, truth, labels);
    std::printf("\n%zu detections with a score of at least %s where nothing is labelled: %s\n", labels.size(),
                shortest(request.score).c_str(), printable(request.missing_labels).c_str());
  }
  if (!request.json.empty()) write_file_atomically(request.json, json);
}

}  // namespace

void add_evaluate_command(Command& program) {
  Command command = program.subcommand(
      "evaluate", "Average precision of a model, or of detections in a file, against annotations",
      "evaluate --checkpoint run --annotations instances_val.json --images images\n"
      "  diopter evaluate --annotations instances_val.json --detections detections.json --json metrics.json\n"
      "  diopter evaluate --annotations instances_val.json --detections detections.json --errors --bootstrap 1000 \\\n"
      "                   --csv tables\n\n"
      "The file of --json holds, in full precision and -1 where there is nothing to average:\n"
      "  coco  {\"stats\": [" +
          join(coco_column_names()) +
          "],\n"
          "         \"intervals\": {\"AP\": [low, high], \"AP50\", \"AP75\", \"AR100\"},     with --bootstrap\n"
          "         \"errors\": {\"AP50\", KIND: {\"count\", \"gain\"}},                   with --errors\n"
          "         \"against\": {\"AP\": {\"difference\", \"interval\", \"share_larger\"}, ...},  with --against\n"
          "         \"calibration\": {\"ECE\", \"temperature\", \"bins\", ...},        with --calibration\n"
          "         \"per_category\": {\"ID\": {\"name\", \"objects\", the numbers of stats by name,\n"
          "                                 \"AP_per_iou\" [10], \"recall100_per_iou\" [10], \"AP_interval\",\n"
          "                                 \"errors\"}}}\n"
          "  voc   {\"settings\": {\"iou\", \"eleven_point\", \"plus_one\"}, \"mean_ap\": AP,\n"
          "         \"per_category\": "
          "{\"ID\": {\"name\", \"objects\", \"AP\"}}}\n\n"
          "The folder of --csv gets categories.csv, pr_curves.csv, errors.csv, confusion.csv and, with --bootstrap,\n"
          "intervals.csv, with --calibration calibration.csv. What the numbers mean: docs/evaluation.md.");
  const auto request = std::make_shared<EvaluateRequest>();
  add_annotations_option(command, "--annotations", request->annotations,
                         "Ground truth: COCO instances file, or another format")
      .required();
  add_reading_options(command, request->reading, "val");
  add_model_option(command, request->model, "Model to run");
  command.text("--images", request->images, "Folder of the pictures, with --checkpoint").type("DIR");
  command.flag("--skip-missing", request->skip_missing,
               "With --checkpoint: evaluate without the pictures that cannot be read, instead of refusing");
  command.text("--detections", request->detections, "COCO results file to evaluate instead of a model").type("FILE");
  add_model_device_options(command, request->model);
  add_thread_option(command);
  command
      .choice("--metric", request->metric, {"coco", "voc", "voc07"},
              "coco (12 numbers), voc (area under the curve, 2010 and later) or voc07 (11 points)")
      .type("NAME");
  command
      .text("--iou", request->coco.iou,
            "coco: overlaps that matches must reach, FIRST:LAST:STEP or a list (default 0.5:0.95:0.05); voc: one "
            "that they must exceed (default 0.5)")
      .type("IOU");
  command
      .text(
          "--max-detections", request->coco.max_detections,
          "coco only: detections that count per picture and category, ascending (default 1,10,100); AP takes the last")
      .type("N,...");
  command
      .text("--areas", request->coco.areas,
            "coco only: sizes of objects, NAME:LOW:HIGH with sides of squares in pixels "
            "(default small:0:32,medium:32:96,large:96:), or the sides between them (16,32,96)")
      .type("AREA,...");
  command.text("--categories", request->categories, "Only these: names, or ids").type("NAME,...");
  command.flag("--renumber", request->renumber,
               "coco only: number the annotations from 1; one with id 0 is never found otherwise, as in pycocotools");
  command.flag("--plus-one", request->plus_one,
               "voc only: boxes end with the last pixel inside, so widths and heights count one more");
  command.flag("--errors", request->errors, "coco only: what kinds of error there are and how much AP each costs");
  command
      .number("--bootstrap", request->bootstrap,
              "coco only: 95% confidence intervals from this many resamples of the pictures; 0: none")
      .range(0, 1000000)
      .limits_in_words()
      .type("N");
  command.number("--seed", request->seed, "Of the resamples: the same seed gives the same intervals");
  command
      .text("--thresholds", request->thresholds,
            "coco only: write the score with the largest F1, per class and for all, for detect --thresholds")
      .type("OUT");
  command.flag("--calibration", request->calibration,
               "coco only: how far scores are the probability of being right, and the temperature that mends it");
  command
      .text("--against", request->against,
            "coco only: other detections of the same pictures; differences with intervals of the paired bootstrap "
            "(--bootstrap resamples, 1000 without)")
      .type("FILE");
  command.text("--json", request->json, "Write the numbers to this file").type("OUT");
  command
      .text("--arrays", request->arrays,
            "coco only: write precision, recall and scores of every cell to this file (safetensors)")
      .type("OUT");
  command.text("--csv", request->csv, "coco only: write tables and precision-recall curves into this folder")
      .type("DIR");
  command
      .text("--missing-labels", request->missing_labels,
            "Write confident detections where nothing is labelled into this folder, as a table and as crops")
      .type("DIR");
  command.number("--score", request->score,
                 "With --csv and --missing-labels: detections with a lower score do not count in the confusion matrix, "
                 "or as missing labels");
  command.action([request] { evaluate(*request); });
}

}  // namespace diopter
