// diopter detect: finds objects in pictures and draws them.
#include "retinanet/network/detect.h"
#include "engine/profile/profile.h"
#include "retinanet/network/input.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "data/pictures/draw.h"
#include "data/pictures/image.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/network/dump.h"
#include "tools/command/command.h"
#include "tools/command/model.h"
#include "tools/command/profile.h"
#include "tools/command/progress.h"
#include "tools/command/reading.h"
#include "tools/command/thresholds.h"
#include "tools/detect/drawings.h"
#include "tools/detect/exports.h"
#include "tools/detect/pictures.h"
#include "tools/detect/results.h"

namespace diopter {

namespace {

struct DetectRequest {
  ModelRequest model;
  PictureRequest pictures;
  std::vector<std::string> annotations;
  std::string images, out, json, dump, thresholds;
  std::vector<std::string> exports;  // "FORMAT:PATH"
  Reading reading;
  float score = -1;  // below 0: not given
  std::int64_t profile = 0;
};

void check_request(const DetectRequest& request) {
  DIOPTER_CHECK(!request.out.empty() || !request.json.empty() || !request.exports.empty() || !request.dump.empty(),
                "detect needs --out, --json, --export or --dump to know where its results go");
  DIOPTER_CHECK(request.profile == 0 || !request.out.empty(), "--profile writes into --out, which is not given");
  const bool named = !request.pictures.inputs.empty() || !request.pictures.list.empty();
  DIOPTER_CHECK(named || !request.annotations.empty(),
                "detect needs pictures: names, folders, --list, - or --annotations");
  DIOPTER_CHECK(request.images.empty() || !request.annotations.empty(), "--images needs --annotations");
  DIOPTER_CHECK(request.thresholds.empty() || request.score < 0, "--score and --thresholds exclude each other");
}

/// Scores from which on objects count and are drawn, by class, and how the summary calls them.
struct Shown {
  std::vector<float> thresholds;
  std::string text;

  bool has(const DetectedBox& box) const { return box.score >= thresholds[box.label]; }
};

/// --score, or --thresholds, or those that the checkpoint brings from its last evaluation.
Shown shown_objects(const DetectRequest& request, const LoadedModel& model) {
  if (!request.thresholds.empty()) {
    return {read_thresholds(request.thresholds, model.classes),
            "a score of at least their class's in " + request.thresholds};
  }
  if (request.score < 0 && !model.thresholds.empty()) {
    const std::vector<float> thresholds(model.thresholds.begin(), model.thresholds.end());
    const auto [least, most] = std::minmax_element(thresholds.begin(), thresholds.end());
    const std::string range = formatted("%.2g", static_cast<double>(*least)) +
                              (*least < *most ? formatted(" to %.2g", static_cast<double>(*most)) : "");
    return {thresholds, "a score of at least the checkpoint's best for their class (" + range + ")"};
  }
  constexpr float kScore = 0.5f;  // of a checkpoint that was not evaluated
  const float score = request.score < 0 ? kScore : request.score;
  return {std::vector<float>(model.classes.size(), score), "a score of at least " + shortest(score)};
}

/// The pictures, and the ids of their classes, which are those of the annotations where these are given. Pictures keep
/// numbers from 1 as their ids; `ids` has those of the results.
Dataset pictures_of(const DetectRequest& request, LoadedModel& loaded, std::vector<std::int64_t>& ids) {
  const bool named = !request.pictures.inputs.empty() || !request.pictures.list.empty();
  Dataset pictures = named ? requested_pictures(request.pictures) : Dataset();
  if (!request.annotations.empty()) {
    ReadOptions options = read_options(request.reading, request.images, loaded.classes, DatasetSplit::val);
    options.find_pictures = !named;
    const Dataset listed = read_dataset(request.reading.format, request.annotations, options);
    print_origin(request.annotations, listed);
    for (std::size_t i = 0; i < loaded.category_ids.size(); ++i) loaded.category_ids[i] = listed.categories[i].id;
    if (named) {
      take_ids(name_of(request.annotations), listed, pictures);
    } else {
      pictures.images = listed.images;
    }
    DIOPTER_CHECK(!pictures.images.empty(), name_of(request.annotations), ": lists no pictures");
  }
  for (ImageRecord& picture : pictures.images) {
    ids.push_back(picture.id);
    picture.id = std::ssize(ids);
  }
  return pictures;
}

/// "12 objects with a score of at least 0.5 in 3 pictures"; where there are none, what would be some.
std::string summary(std::ptrdiff_t drawn, const std::string& score, std::size_t pictures, float best) {
  std::string text = std::to_string(drawn) + " objects with " + score + " in " + std::to_string(pictures) + " pictures";
  if (drawn > 0) return text;
  return text + (best > 0
                     ? formatted("; the best one has %.3f (--score shows objects with less)", static_cast<double>(best))
                     : "; none reaches the model's detect.score_threshold");
}

int run(const DetectRequest& request) {
  check_request(request);
  LoadedModel loaded = open_model(request.model);
  const int tile = loaded.model->config().input.tile;
  DIOPTER_CHECK(request.dump.empty() || tile == 0, "--dump is of whole pictures, and this model (input.tile = ", tile,
                ") looks at tiles");
  const Shown shown = shown_objects(request, loaded);
  std::vector<std::int64_t> ids;
  const Dataset dataset = pictures_of(request, loaded, ids);
  std::optional<Drawings> drawings;
  if (!request.out.empty()) drawings.emplace(request.out, dataset);
  std::vector<Export> exports;
  for (const std::string& text : request.exports) exports.emplace_back(text, dataset);

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
  std::vector<ExportedPicture> exported;
  std::size_t detected = 0;
  std::ptrdiff_t objects = 0;
  float best = 0;
  std::vector<UnreadablePicture> skipped;
  Checkpoint dump;
  Detector detector(*loaded.model);
  PictureAssembly assembly(loaded.model->config().detect);
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
    for (const std::string& file : loader.take_several()) {
      progress.print("diopter: warning: " + file + ": only the first of its pages or frames is looked at");
    }
    if (batch.images == 0) continue;
    for (const auto& [picture, found] : assembly.add(batch.views, detect_in(batch))) {
      const ImageRecord& record = dataset.images[picture];
      ++detected;
      std::vector<DetectedBox> drawn;
      for (const DetectedBox& box : found) {
        if (shown.has(box)) drawn.push_back(box);
        best = std::max(best, box.score);
      }
      objects += std::ssize(drawn);
      if (!request.json.empty()) results.push_back({ids[picture], record.name, found});
      if (!exports.empty()) {
        ExportedPicture& one = exported.emplace_back();
        one = {std::filesystem::path(record.file).filename().string(), 0, 0, drawn};
        read_image_size(record.file, one.width, one.height);
      }
      if (drawings) {
        const ProfiledScope drawing("draw");
        write_image(drawings->file(picture),
                    draw_detections(read_image(record.file, options.white), {}, drawn, loaded.classes, 0));
      }
      progress.update(static_cast<std::int64_t>(detected + skipped.size()));
    }
  }
  std::sort(skipped.begin(), skipped.end());
  DIOPTER_CHECK(detected > 0, "none of the ", skipped.size(),
                " pictures can be decoded; the first: ", skipped.front().reason);
  if (profile) profile->finish();
  if (!request.dump.empty()) save_checkpoint(request.dump, dump);
  if (!request.json.empty()) write_file_atomically(request.json, json_text(results, loaded));
  for (const Export& e : exports) e.write(exported, loaded.classes);
  std::printf("%s", summary(objects, printable(shown.text), detected, best).c_str());
  if (drawings) {
    drawings->write_list(skipped);
    std::printf("; drawn into %s, %s says which is of which picture", printable(request.out).c_str(), Drawings::kList);
    for (const std::string& line : drawings->renamed(dataset)) std::printf("\n  %s", printable(line).c_str());
  }
  std::printf("\n");
  if (skipped.empty()) return 0;
  print_warnings({describe(skipped, dataset.images.size(), "pictures")});
  return kSomeUnreadable;
}

}  // namespace

void add_detect_command(Command& program) {
  Command command = program.subcommand(
      "detect", "Finds objects in pictures and draws them",
      "detect --checkpoint run photos --out detections --json detections.json\n"
      "  find photos -newer run -name '*.jpg' | diopter detect --checkpoint run - --json detections.json\n"
      "  diopter detect --checkpoint run --annotations test.json --images photos --json detections.json\n\n"
      "--json writes every detection above the model's detect.score_threshold in COCO's results format, with\n"
      "the picture's file name and the class name beside the numbers. Ids are those of --annotations; without it\n"
      "pictures are numbered from 1, and diopter evaluate finds them by their file names.\n\n"
      "A drawing replaces no other file: FOLDER/drawings.csv lists which is of which picture, and names that are "
      "taken\n"
      "get a number. Pictures that cannot be read are named and left out; the exit code is then 3.\n\n"
      "--dump writes what the network computed for each picture, alone in its batch, as safetensors: 1/input,\n"
      "1/C3 .., 1/P3 .., 1/logits.P3 .., 1/deltas.P3 .. ([1, height, width, channels]), 1/boxes, 1/scores,\n"
      "1/labels for the first picture, 2/.. for the second. tools/peers/compare_with_torchvision.py reads it.");
  const auto request = std::make_shared<DetectRequest>();
  add_model_option(command, request->model, "Model").required();
  command.list("pictures", request->pictures.inputs, "Pictures, folders of pictures, or - for names on standard input")
      .type("IMAGE_OR_DIR");
  command.text("--list", request->pictures.list, "File with the name of a picture or folder on each line").type("FILE");
  command.flag("--recursive", request->pictures.recursive, "Folders with all that is below them");
  add_annotations_option(command, "--annotations", request->annotations,
                         "Results get the ids of these annotations; their pictures where no others are named");
  command.text("--images", request->images, "Folder of the pictures of --annotations").type("DIR");
  add_reading_options(command, request->reading, "val, of --annotations");
  command.text("--out", request->out, "Folder for the drawn pictures").type("DIR");
  command
      .number("--score", request->score,
              "Detections with a lower score are not drawn (default: the checkpoint's scores of largest F1, or 0.5)")
      .default_in_words();
  command
      .text("--thresholds", request->thresholds,
            "Instead of --score: a score for each class, from evaluate --thresholds")
      .type("FILE");
  command.text("--json", request->json, "Write the detections to this file").type("OUT");
  command
      .repeated(
          "--export", request->exports,
          "Write what would be drawn as annotations to correct: yolo:DIR, voc:DIR, labelstudio:FILE, cvat:FILE or "
          "csv:FILE; may be repeated")
      .type("FORMAT:PATH")
      .one_each();
  command.text("--dump", request->dump, "Write input, feature maps, head outputs and detections to this file")
      .type("OUT");
  add_profile_option(command, request->profile, "batches", "folder of the drawn pictures");
  add_model_device_options(command, request->model);
  add_thread_option(command);
  command.action([request] {
    request->pictures.not_below = request->out;
    return run(*request);
  });
}

}  // namespace diopter
