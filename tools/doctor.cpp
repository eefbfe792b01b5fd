// diopter doctor: looks at a data set and a configuration before training.
#include "retinanet/doctor/doctor.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"

#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "kernels/base/files.h"
#include "tools/command/command.h"
#include "tools/command/progress.h"
#include "tools/command/reading.h"
#include "tools/doctor/report.h"

namespace diopter {

namespace {

struct Request {
  std::vector<std::string> annotations;
  std::string images, preset = "small", config, json;
  Reading reading;
  std::vector<std::string> settings;
  bool no_images = false;
};

void examine(const Request& request) {
  Config config = preset(request.preset);
  if (!request.config.empty()) override_config(config, read_file(request.config), request.config);
  apply_settings(config, parse_settings(request.settings));
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
  if (!request.json.empty()) write_file_atomically(request.json, json_text(report));
}

}  // namespace

void add_doctor_command(Command& program) {
  Command command = program.subcommand(
      "doctor", "Looks at a data set before training: boxes, classes, pictures, anchors, loss, memory",
      "doctor --annotations instances_train.json --images images --preset small --set input.max_size=320\n\n"
      "Warnings leave the exit code 0; it is 2 when nothing can be trained: no pictures, no classes, no objects.");
  const auto request = std::make_shared<Request>();
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
  add_thread_option(command);
  command.action([request] { examine(*request); });
}

}  // namespace diopter
