// Evaluations of a run whose validation pictures are not all readable.
#include "retinanet/training/validation.h"

#include <algorithm>
#include <filesystem>

#include "engine/files/checkpoint.h"
#include "retinanet/network/detect.h"
#include "retinanet/training/error_crops.h"
#include "retinanet/training/evaluation_file.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/weights.h"
#include "tests/retinanet/support.h"

using namespace diopter;
using test::error_of;
using test::tiny_config;

namespace {

Trainer::Result train(const test::ShapesOnDisk& shapes, const std::string& folder,
                      const TrainerCallbacks& callbacks = {}) {
  return Trainer(tiny_config(), shapes.train, shapes.validation, folder).run(callbacks);
}

}  // namespace

TEST_CASE("a broken picture is skipped in training and in evaluation") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  test::write_bytes(shapes.train.images[4].file, "no picture");
  test::write_bytes(shapes.validation.images[1].file, "no picture");
  std::vector<std::string> skipped, messages;
  TrainerCallbacks callbacks;
  callbacks.skipped = [&](const std::string& reason) { skipped.push_back(reason); };
  callbacks.message = [&](const std::string& message) { messages.push_back(message); };
  const Trainer::Result result = train(shapes, folder, callbacks);
  CHECK(result.evaluated);
  REQUIRE(skipped.size() == 1);
  CHECK(skipped[0].starts_with(shapes.train.images[4].file + ": "));
  REQUIRE(messages.size() == 1);
  CHECK(messages[0].starts_with("evaluation at iteration 20: 1 of the 5 validation pictures cannot be read: " +
                                shapes.validation.images[1].file + ": "));
  // What counts is what is left: the objects of the other pictures.
  const Dataset others = without(shapes.validation, {{1, ""}});
  CHECK(result.metrics.stats.ap ==
        coco_metrics(others, detect_all(*load_model(last_checkpoint(folder)).model, others, {1, 2, 3}, {})).stats.ap);
  std::int64_t objects = 0;
  for (const ImageRecord& image : others.images) objects += std::ssize(image.annotations);
  CHECK(read_evaluation(folder)->objects[0] == objects);
  CHECK_FALSE(shapes.validation.images[1].annotations.empty());
  CHECK(std::filesystem::exists(pictures_folder(folder) + "/" +
                                std::filesystem::path(others.images[1].name).stem().string() + ".jpg"));
}

TEST_CASE("an evaluation without a picture that can be decoded fails, and is made when the run is resumed") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  std::vector<std::string> whole;
  for (const ImageRecord& image : shapes.validation.images) {
    whole.push_back(test::read_bytes(image.file));
    test::write_bytes(image.file, "no picture");
  }
  CHECK(error_of([&] {
          train(shapes, folder);
        }).starts_with("none of the 5 pictures can be decoded; the first: " + shapes.validation.images[0].file));
  CHECK(load_checkpoint(last_checkpoint(folder)).metadata.at("iteration") == "20");
  for (std::size_t i = 0; i < whole.size(); ++i) test::write_bytes(shapes.validation.images[i].file, whole[i]);
  const Trainer::Result result = Trainer::resume(folder, {}, shapes.train, shapes.validation)->run({});
  CHECK(result.finished);
  CHECK(result.evaluated);
  CHECK(std::filesystem::exists(best_checkpoint(folder)) == (result.metrics.stats.ap > -1));
}

TEST_CASE("a checkpoint has the scores of largest F1 of its evaluation, and evaluation.json has them, too") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  // It learns the pictures that it is validated on.
  Trainer(tiny_config({"train.iterations=60", "train.evaluate_every=30", "detect.score_threshold=0.01"}), shapes.train,
          shapes.train, folder)
      .run({});
  for (const std::string& file : {last_checkpoint(folder), best_checkpoint(folder)}) {
    INFO(file);
    const LoadedModel loaded = load_model(file);
    const CocoMatches matches =
        match_coco(shapes.train, detect_all(*loaded.model, shapes.train, loaded.category_ids, {}));
    const OperatingPoints points = best_operating_points(matches);
    REQUIRE(points.all);
    REQUIRE(loaded.thresholds.size() == 3);
    CHECK(loaded.thresholds == best_scores(points));
    if (file != last_checkpoint(folder)) continue;
    const RunEvaluation kept = read_evaluation(folder).value();
    CHECK(kept.best.value().score == points.all->score);
    for (std::size_t k = 0; k < 3; ++k) {
      CHECK(kept.categories[k].best.has_value() == points.categories[k].has_value());
      if (points.categories[k]) CHECK(kept.categories[k].best->f1 == points.categories[k]->f1);
    }
  }
}

TEST_CASE("an evaluation leaves small pictures of its worst errors") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  REQUIRE(train(shapes, folder).evaluated);
  const RunEvaluation kept = read_evaluation(folder).value();
  REQUIRE_FALSE(kept.errors.empty());
  CHECK(kept.errors.size() <= 2 * kErrorCrops);
  for (const RunEvaluation::Error& error : kept.errors) {
    INFO(error.crop);
    const Image crop = read_image(errors_folder(folder) + "/" + error.crop);
    CHECK(std::max(crop.width, crop.height) <= 240);
    CHECK(std::max(crop.width, crop.height) > 80);  // small ones are enlarged
    CHECK((error.score > 0) == error.crop.starts_with("false"));
  }
  // Those of an evaluation before are not left behind.
  test::write_bytes(errors_folder(folder) + "/missed_12.jpg", "old");
  CHECK(write_error_crops(folder, shapes.validation, {}, kFullRange).empty());
  CHECK(std::filesystem::is_empty(errors_folder(folder)));
}
