// diopter evaluate: average precision of a model, or of detections in a file, against annotations.
#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "data/coco.h"
#include "data/coco_metrics.h"
#include "data/dataset.h"
#include "data/voc_metrics.h"
#include "engine/device.h"
#include "kernels/common/atomic_file.h"
#include "retinanet/detect.h"
#include "tools/command.h"
#include "tools/progress.h"

namespace diopter {

namespace {

// Keys keep their order: as the metrics print them, categories by ascending id.
using Json = nlohmann::ordered_json;

struct Request {
  std::string device = "auto", annotations, images, checkpoint, detections, format, metric = "coco", json;
  double iou = 0.5;
  bool plus_one = false;
};

Json json_of(const CocoMetrics& metrics) {
  Json categories = Json::object();
  for (const CategoryMetrics& c : metrics.per_category) {
    categories[std::to_string(c.id)] = {{"name", c.name},        {"objects", c.objects},
                                        {"AP", c.ap},            {"AP_per_iou", c.ap_per_iou},
                                        {"APs", c.ap_small},     {"APm", c.ap_medium},
                                        {"APl", c.ap_large},     {"AR1", c.ar[0]},
                                        {"AR10", c.ar[1]},       {"AR100", c.ar[2]},
                                        {"recall100_per_iou", c.recall_per_iou}};
  }
  return {{"stats", metrics.stats}, {"per_category", categories}};
}

Json json_of(const VocMetrics& metrics) {
  Json categories = Json::object();
  for (const VocCategory& c : metrics.per_category) {
    categories[std::to_string(c.id)] = {{"name", c.name}, {"objects", c.objects}, {"AP", c.ap}};
  }
  return {{"mean_ap", metrics.mean_ap}, {"per_category", categories}};
}

void print_row(const std::string& name, const std::vector<double>& numbers, std::int64_t objects) {
  std::printf("%-24s", name.c_str());
  for (const double n : numbers) std::printf(n < 0 ? "      -" : " %6.4f", n);
  std::printf(" %9lld\n", static_cast<long long>(objects));
}

Json evaluate_coco(const Dataset& truth, const std::vector<Detection>& detections) {
  const CocoMetrics metrics = coco_metrics(truth, detections);
  print_warnings(metrics.warnings);
  std::printf("%s\n%-24s %6s %6s %6s %9s\n", format_coco_metrics(metrics).c_str(), "category", "AP", "AP50", "AR100",
              "objects");
  for (const CategoryMetrics& c : metrics.per_category) {
    print_row(c.name, {c.ap, c.ap_per_iou[0], c.ar[2]}, c.objects);
  }
  return json_of(metrics);
}

Json evaluate_voc(const Dataset& truth, const std::vector<Detection>& detections, const VocOptions& options) {
  const VocMetrics metrics = voc_metrics(truth, detections, options);
  std::printf("%-24s %6s %9s\n", "category", "AP", "objects");
  std::int64_t objects = 0;
  for (const VocCategory& c : metrics.per_category) {
    print_row(c.name, {c.ap}, c.objects);
    objects += c.objects;
  }
  print_row("mean", {metrics.mean_ap}, objects);
  return json_of(metrics);
}

std::vector<Detection> detections_of_model(const RetinaNet& model, const Dataset& truth) {
  std::vector<std::int64_t> ids;
  for (const Category& c : truth.categories) ids.push_back(c.id);
  Progress progress("evaluate", static_cast<std::int64_t>(truth.images.size()), "images");
  return detect_all(model, truth, ids, [&](std::int64_t done, std::int64_t) { progress.update(done); });
}

void evaluate(const Request& request) {
  DIOPTER_CHECK(request.checkpoint.empty() != request.detections.empty(),
                "evaluate needs either --checkpoint or --detections");
  const DatasetFormat format =
      request.format.empty() ? recognise_format(request.annotations) : format_from_name(request.format);
  LoadedModel loaded;
  if (!request.checkpoint.empty()) loaded = load_model(request.checkpoint, device_from_name(request.device));
  const Dataset truth = read_dataset(format, request.annotations, request.images, loaded.classes);
  std::vector<std::string> warnings = truth.warnings;
  const std::vector<Detection> detections = loaded.model
                                                ? detections_of_model(*loaded.model, truth)
                                                : read_coco_results(request.detections, truth, warnings);
  print_warnings(warnings);

  const Json result =
      request.metric == "coco"
          ? evaluate_coco(truth, detections)
          : evaluate_voc(truth, detections,
                         {.iou_threshold = request.iou,
                          .eleven_point = request.metric == "voc07",
                          .plus_one = request.plus_one});
  if (request.json.empty()) return;
  write_file_atomically(request.json, result.dump(1, ' ', false, Json::error_handler_t::replace) + "\n");
}

}  // namespace

void add_evaluate_command(CLI::App& app) {
  CLI::App& command = add_command(
      app, "evaluate", "Average precision of a model, or of detections in a file, against annotations",
      "evaluate --checkpoint run/checkpoints/best.safetensors --annotations instances_val.json --images images\n"
      "  diopter evaluate --annotations instances_val.json --detections detections.json --json metrics.json\n\n"
      "The file of --json holds, in full precision and -1 where there is nothing to average:\n"
      "  coco  {\"stats\": [AP, AP50, AP75, APs, APm, APl, AR1, AR10, AR100, ARs, ARm, ARl],\n"
      "         \"per_category\": {\"ID\": {\"name\", \"objects\", \"AP\", \"AP_per_iou\" [10], \"APs\", \"APm\",\n"
      "                                 \"APl\", \"AR1\", \"AR10\", \"AR100\", \"recall100_per_iou\" [10]}}}\n"
      "  voc   {\"mean_ap\": AP, \"per_category\": {\"ID\": {\"name\", \"objects\", \"AP\"}}}");
  const auto request = std::make_shared<Request>();
  command.add_option("--annotations", request->annotations, "Ground truth: COCO instances file, or another format")
      ->required()
      ->type_name("FILE");
  command.add_option("--format", request->format, "coco, voc, csv or yolo; recognised from the files when not given")
      ->type_name("NAME");
  command.add_option("--checkpoint", request->checkpoint, "Model to run, from diopter train")->type_name("FILE");
  command.add_option("--images", request->images, "Folder of the pictures, with --checkpoint")->type_name("DIR");
  command.add_option("--detections", request->detections, "COCO results file to evaluate instead of a model")
      ->type_name("FILE");
  add_device_option(command, request->device);
  add_thread_option(command);
  command
      .add_option("--metric", request->metric,
                  "coco (12 numbers), voc (area under the curve, 2010 and later) or voc07 (11 points)")
      ->check(CLI::IsMember({"coco", "voc", "voc07"}))
      ->type_name("NAME");
  command.add_option("--iou", request->iou, "voc only: overlap that a match must exceed, 0 to 1")
      ->check(CLI::Range(0.0, 1.0).description(""));
  command.add_flag("--plus-one", request->plus_one,
                   "voc only: boxes end with the last pixel inside, so widths and heights count one more");
  command.add_option("--json", request->json, "Write the numbers to this file")->type_name("OUT");
  command.callback([request] { evaluate(*request); });
}

}  // namespace diopter
