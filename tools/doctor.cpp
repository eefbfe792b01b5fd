// diopter doctor: looks at a data set and a configuration before training.
#include "retinanet/doctor/doctor.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"

#include <unistd.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/training/time_budget.h"
#include "tools/command/command.h"
#include "tools/command/progress.h"
#include "tools/command/reading.h"
#include "tools/doctor/report.h"

namespace diopter {

namespace {

struct DoctorRequest {
  std::vector<std::string> annotations;
  std::string images, preset = "small", config, json;
  Reading reading;
  std::vector<std::string> settings;
  bool no_images = false;
  int ranks = 0;  // 0: no forecast is asked for
  double bandwidth = 10, latency = 0.1, work = 0;
};

/// Seconds of one shard's part of a step: measured, unless they were given.
double shard_seconds(const DoctorRequest& request, Config config, const Dataset& dataset) {
  if (request.work > 0) return request.work / 1000;
  config.train.batch_size /= static_cast<int>(config.train.shards);
  config.train.shards = 1;
  config.train.accumulate = 1;
  constexpr double kSeconds = 3;
  return measure_times(config, dataset, {}, Device::cpu, kSeconds).step;
}

RanksForecast forecast_ranks(const DoctorRequest& request, const Config& config, const Dataset& dataset) {
  const int classes = static_cast<int>(dataset.categories.size());
  std::int64_t gradients = 0;
  const RetinaNet model(config, classes, InitialWeights::unset);
  for (const NamedParameter& p : model.parameters()) gradients += p.variable.value().size();
  RanksForecast forecast{
      {1e9 * request.bandwidth, request.latency / 1000}, shard_seconds(request, config, dataset), {}};
  const auto add = [&](int ranks) {
    forecast.steps.push_back(forecast_step(config, forecast.shard_seconds, gradients, ranks, forecast.network));
  };
  for (int ranks = 1; ranks < request.ranks; ranks *= 2) add(ranks);
  add(request.ranks);
  return forecast;
}

void examine(const DoctorRequest& request) {
  Config config = preset(request.preset);
  if (!request.config.empty()) override_config(config, read_file(request.config), request.config);
  apply_settings(config, parse_settings(request.settings));
  DIOPTER_CHECK(request.ranks <= config.train.shards, "--ranks ", request.ranks,
                ": more than train.shards = ", config.train.shards,
                ", of which each process needs one (--set train.shards=", request.ranks, ")");
  check_config(config);
  const Dataset dataset = read_dataset(request.reading.format, request.annotations,
                                       read_options(request.reading, request.images, {}, DatasetSplit::train));
  if (!dataset.origin.empty()) std::printf("read %s\n", dataset.origin.c_str());

  DoctorOptions options;
  options.open_pictures = !request.no_images;
  options.system_memory = std::int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGESIZE);
  Progress progress("pictures", static_cast<std::int64_t>(dataset.images.size()), "pictures");
  options.progress = [&](std::int64_t done, std::int64_t) { progress.update(done); };
  const DoctorReport report = examine(dataset, config, options);
  print_report(report, config);
  std::optional<RanksForecast> forecast;
  if (request.ranks > 0) {
    forecast = forecast_ranks(request, config, dataset);
    print_forecast(*forecast, config);
  }
  if (!request.json.empty()) write_file_atomically(request.json, json_text(report, forecast));
}

}  // namespace

void add_doctor_command(Command& program) {
  Command command = program.subcommand(
      "doctor", "Looks at a data set before training: boxes, classes, pictures, anchors, loss, memory",
      "doctor --annotations instances_train.json --images images --preset small --set input.max_size=320\n\n"
      "Warnings leave the exit code 0; it is 2 when nothing can be trained: no pictures, no classes, no objects.");
  const auto request = std::make_shared<DoctorRequest>();
  add_annotations_option(command, "--annotations", request->annotations,
                         "COCO .json, VOC folder or split file, .csv or YOLO folder")
      .required();
  command.text("--images", request->images, "Folder of the pictures").type("DIR");
  add_reading_options(command, request->reading, "train");
  command.text("--preset", request->preset, "Configuration to look with").type("NAME");
  command.text("--config", request->config, "TOML file that overrides keys of the preset").type("FILE");
  command.repeated("--set", request->settings, "Overrides one key, may be repeated").type("KEY=VALUE");
  command.text("--json", request->json, "Write everything to this file").type("OUT");
  command.flag("--no-images", request->no_images, "Do not open the pictures: believe the sizes in the annotations");
  command.number("--ranks", request->ranks, "Forecast of a step's time on 1 to N processes of CPUs")
      .range(1, 65536)
      .limits_in_words()
      .default_in_words()
      .type("N");
  command.number("--bandwidth", request->bandwidth, "For --ranks: Gbit/s of each process, in each direction")
      .positive();
  command.number("--latency", request->latency, "For --ranks: ms from one process to another").not_negative();
  command.number("--work", request->work, "For --ranks: ms of one shard's part of a step; 0: measured here")
      .not_negative();
  add_thread_option(command);
  command.action([request] { examine(*request); });
}

}  // namespace diopter
