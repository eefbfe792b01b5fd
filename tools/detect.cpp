// diopter detect: finds objects in pictures and draws them.
#include "retinanet/network/detect.h"
#include "engine/profile/profile.h"
#include "retinanet/network/input.h"
#include "retinanet/weights/weights.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "data/pictures/draw.h"
#include "data/pictures/output_names.h"
#include "engine/device.h"
#include "kernels/base/files.h"
#include "retinanet/network/dump.h"
#include "tools/command/command.h"
#include "tools/command/profile.h"
#include "tools/command/progress.h"
#include "tools/detect/results.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

struct Request {
  std::string device = "auto", precision, checkpoint, out, json, dump;
  std::vector<std::string> inputs;
  float score = 0.5f;
  std::int64_t profile = 0;
};

/// Files as they are named, folders as the pictures in them by name; numbered from 1.
Dataset pictures(const std::vector<std::string>& inputs) {
  Dataset dataset;
  const auto add = [&](const fs::path& file) {
    ImageRecord record;
    record.id = static_cast<std::int64_t>(dataset.images.size()) + 1;
    record.file = record.name = file.string();
    dataset.images.push_back(record);
  };
  for (const std::string& input : inputs) {
    DIOPTER_CHECK(fs::exists(input), input, ": no such file or folder");
    if (!fs::is_directory(input)) {
      add(input);
      continue;
    }
    std::vector<fs::path> files;
    for (const auto& entry : fs::directory_iterator(input)) {
      if (entry.is_regular_file() && is_picture(entry.path())) files.push_back(entry.path());
    }
    DIOPTER_CHECK(!files.empty(), input, ": a folder without pictures");
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) add(file);
  }
  return dataset;
}

/// Where the drawing of each picture goes. Throws Error when it would replace a picture that was given.
std::vector<std::string> drawings(const Dataset& dataset, const std::string& folder) {
  std::set<fs::path> inputs;
  for (const ImageRecord& record : dataset.images) inputs.insert(fs::weakly_canonical(record.file));
  std::vector<std::string> files;
  OutputNames names;
  for (const ImageRecord& record : dataset.images) {
    files.push_back(folder + "/" + names.next(record.name));
    DIOPTER_CHECK(inputs.count(fs::weakly_canonical(files.back())) == 0, files.back(),
                  ": is one of the pictures and would be replaced by a drawing; choose another folder with --out");
  }
  return files;
}

int run(const Request& request) {
  const LoadedModel loaded = load_model(request.checkpoint, device_from_name(request.device));
  if (!request.precision.empty()) loaded.model->set_precision(value_of(kPrecisions, request.precision, "--precision"));
  const Dataset dataset = pictures(request.inputs);
  const std::vector<std::string> files = drawings(dataset, request.out);
  std::error_code error;
  fs::create_directories(request.out, error);
  DIOPTER_CHECK(!error, request.out, ": cannot be made: ", error.message());

  LoaderOptions options = loader_options(loaded.model->config(), loaded.model->device());
  // What is dumped is what each picture gives alone, without padding to the size of others.
  options.batch_size = request.dump.empty() ? loaded.model->config().detect.batch_size : 1;
  options.skip_undecodable = true;
  EvaluationLoader loader(dataset, options);
  std::unique_ptr<StepProfile> profile;
  if (request.profile > 0)
    profile = std::make_unique<StepProfile>(request.profile, request.out, loaded.model->device());
  Progress progress("detect", static_cast<std::int64_t>(dataset.images.size()), "pictures");
  std::vector<PictureDetections> results;
  std::size_t detected = 0;
  std::ptrdiff_t drawn = 0;
  std::vector<UnreadablePicture> skipped;
  Checkpoint dump;
  Detector detector(*loaded.model);
  const auto detect_in = [&](const Batch& batch) {
    if (request.dump.empty()) return detector(batch);
    const std::string id = std::to_string(batch.image_ids[0]);
    dump.metadata[id] = dataset.images[static_cast<std::size_t>(batch.image_ids[0] - 1)].file;
    return detect_with_dump(*loaded.model, batch, id + "/", dump);
  };
  const auto next = [&](Batch& batch) {
    if (profile) profile->next_step();
    const ProfiledScope phase("load");
    return loader.next(batch);
  };
  for (Batch batch; next(batch);) {
    const ProfiledScope phase("batch");
    for (const UnreadablePicture& picture : loader.take_skipped()) {
      progress.print("diopter: warning: skipped " + picture.reason);
      skipped.push_back(picture);
    }
    if (batch.images == 0) continue;
    const std::vector<std::vector<DetectedBox>> of_batch = detect_in(batch);
    for (std::size_t i = 0; i < of_batch.size(); ++i) {
      const std::vector<DetectedBox>& found = of_batch[i];
      const auto picture = static_cast<std::size_t>(batch.image_ids[i] - 1);  // they are numbered from 1
      const ImageRecord& record = dataset.images[picture];
      ++detected;
      drawn +=
          std::count_if(found.begin(), found.end(), [&](const DetectedBox& box) { return box.score >= request.score; });
      if (!request.json.empty()) results.push_back({record.id, record.name, found});
      const ProfiledScope drawing("draw");
      write_image(files[picture], draw_detections(read_image(record.file), {}, found, loaded.classes, request.score));
      progress.update(static_cast<std::int64_t>(detected + skipped.size()));
    }
  }
  DIOPTER_CHECK(detected > 0, "none of the ", skipped.size(), " pictures can be decoded; the first: ",
                skipped.front().reason);
  if (profile) profile->finish();
  if (!request.dump.empty()) save_checkpoint(request.dump, dump);
  if (!request.json.empty()) write_file_atomically(request.json, json_text(results, loaded));
  std::printf("%td objects with a score of at least %g in %zu pictures; drawn into %s\n", drawn,
              static_cast<double>(request.score), detected, request.out.c_str());
  if (skipped.empty()) return 0;
  std::sort(skipped.begin(), skipped.end());
  print_warnings({describe(skipped, dataset.images.size(), "pictures")});
  return kSomeUnreadable;
}

}  // namespace

void add_detect_command(Command& program) {
  Command command = program.subcommand(
      "detect", "Finds objects in pictures and draws them",
      "detect --checkpoint run/checkpoints/best.safetensors photos --out detections --json detections.json\n\n"
      "--json writes every detection above the model's detect.score_threshold in COCO's results format, with\n"
      "the picture's file name and the class name beside the numbers; pictures are numbered from 1.\n\n"
      "--dump writes what the network computed for each picture, alone in its batch, as safetensors: 1/input,\n"
      "1/C3 .., 1/P3 .., 1/logits.P3 .., 1/deltas.P3 .. ([1, height, width, channels]), 1/boxes, 1/scores,\n"
      "1/labels for the first picture, 2/.. for the second. tools/peers/compare_with_torchvision.py reads it.");
  const auto request = std::make_shared<Request>();
  command.text("--checkpoint", request->checkpoint, "Model, from diopter train").required().type("FILE");
  command.list("pictures", request->inputs, "Pictures, or folders of pictures").required().type("IMAGE_OR_DIR");
  command.text("--out", request->out, "Folder for the drawn pictures").required().type("DIR");
  command.number("--score", request->score, "Detections with a lower score are not drawn");
  command.text("--json", request->json, "Write the detections to this file").type("OUT");
  command.text("--dump", request->dump, "Write input, feature maps, head outputs and detections to this file")
      .type("OUT");
  add_profile_option(command, request->profile, "batches", "folder of the drawn pictures");
  add_device_option(command, request->device);
  add_precision_option(command, request->precision);
  add_thread_option(command);
  command.action([request] { return run(*request); });
}

}  // namespace diopter
