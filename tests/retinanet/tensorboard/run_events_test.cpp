#include "retinanet/tensorboard/run_events.h"

#include <filesystem>
#include <map>

#include "data/pictures/image.h"
#include "kernels/base/files.h"
#include "retinanet/config/config_text.h"
#include "retinanet/training/metrics_file.h"
#include "retinanet/training/trainer.h"
#include "tests/retinanet/support.h"
#include "tests/support/events.h"

using namespace diopter;
using diopter::tensorboard::Event;
using test::TemporaryFolder;
using test::tiny_config;

namespace {

/// Step -> number of each tag, over all event files of a run, as TensorBoard takes them: a start drops later ones.
std::map<std::string, std::map<std::int64_t, float>> numbers_of(const std::string& run) {
  std::map<std::string, std::map<std::int64_t, float>> numbers;
  std::map<std::string, std::string> files;  // by name, which begins with the time
  for (const auto& entry : std::filesystem::directory_iterator(run + "/tensorboard")) {
    files[entry.path().filename().string()] = entry.path().string();
  }
  for (const auto& [name, file] : files) {
    for (const Event& event : test::events_of(file)) {
      if (event.session_log().status() == diopter::tensorboard::SessionLog::START) {
        for (auto& [tag, values] : numbers) values.erase(values.lower_bound(event.step()), values.end());
      }
      for (const auto& value : event.summary().value()) {
        if (value.value_case() == value.kSimpleValue) numbers[value.tag()][event.step()] = value.simple_value();
      }
    }
  }
  return numbers;
}

/// The same from metrics.csv.
std::map<std::int64_t, float> column_of(const std::string& run, const std::string& column) {
  std::map<std::int64_t, float> numbers;
  for (const auto& [iteration, value] : read_metrics(run).over_iterations(column)) {
    numbers[static_cast<std::int64_t>(iteration)] = static_cast<float>(value);
  }
  return numbers;
}

}  // namespace

TEST_CASE("run events: the counts of a curve are those of a search over all scores") {
  Dataset truth;
  truth.categories = {{1, "a"}, {2, "b"}};
  std::vector<Detection> detections;
  for (int i = 0; i < 12; ++i) {
    ImageRecord& image = truth.images.emplace_back();
    image.id = i + 1;
    image.width = image.height = 100;
    Annotation& object = image.annotations.emplace_back();
    object.id = i + 1;
    object.category = 0;
    object.rect = {10, 10, 20, 20};
    object.area = 400;
    Detection& hit = detections.emplace_back();
    hit = {image.id, 1, object.rect, 0.05 + 0.07 * i};
    if (i % 3 == 0) hit.rect.x += 60;  // beside it
  }
  const CocoMatches matches = match_coco(truth, detections);
  const int n = 21;
  const PrCurve curve = pr_curve(matches, matches.categories[0], n);
  for (int i = 0; i < n; ++i) {
    std::int64_t hits = 0, misses = 0;
    for (int d = 0; d < 12; ++d) {
      if (detections[d].score >= i / 20.0) ++(d % 3 == 0 ? misses : hits);
    }
    INFO(i);
    CHECK(curve.true_positives[i] == hits);
    CHECK(curve.false_positives[i] == misses);
    CHECK(curve.false_negatives[i] == 12 - hits);
  }
}

TEST_CASE("run events: a run that is resumed tells what metrics.csv tells, with curves and pictures") {
  const test::ShapesOnDisk shapes;
  const TemporaryFolder folder;
  const std::string run = folder / "run";
  Config config = tiny_config();
  config.train.iterations = 6;
  config.train.log_every = 1;
  config.train.save_every = 2;
  config.train.evaluate_every = 3;
  config.train.pictures = 1;
  config.train.tensorboard = true;
  config.train.stop_at = 5;
  Trainer(config, shapes.train, shapes.validation, run).run({});
  Trainer::resume(run, {}, shapes.train, shapes.validation)->run({});

  const auto numbers = numbers_of(run);
  for (const char* column : {"loss", "box_loss", "lr", "positives"}) {
    INFO(column);
    REQUIRE(column_of(run, column).size() == 6);
    CHECK(numbers.at(std::string("train/") + column) == column_of(run, column));
  }
  REQUIRE(column_of(run, "AP").size() == 2);
  CHECK(numbers.at("validation/AP") == column_of(run, "AP"));
  CHECK(numbers.count("train/iteration") == 0);

  int pictures = 0, curves = 0;
  for (const auto& entry : std::filesystem::directory_iterator(run + "/tensorboard")) {
    for (const Event& event : test::events_of(entry.path().string())) {
      for (const auto& value : event.summary().value()) {
        if (value.has_image()) {
          ++pictures;
          const std::string drawn = run + "/" + value.tag();
          int width = 0, height = 0;
          read_image_size(drawn, width, height);
          CHECK(value.image().width() == width);
          CHECK(value.image().height() == height);
          if (event.step() == 6) CHECK(value.image().encoded_image_string() == read_file(drawn));
        }
        if (value.has_tensor()) {
          ++curves;
          CHECK(value.tag().starts_with("precision_recall/"));
        }
      }
    }
  }
  CHECK(pictures == 2);
  CHECK(curves >= 2);
}
