#include <cstring>
#include <thread>

#include "data/pictures/image.h"
#include "retinanet/network/detect.h"
#include "retinanet/weights/weights.h"
#include "tests/retinanet/c_api/support.h"
#include "tests/retinanet/support.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

constexpr int kRoom = 100;

/// A tiny detector as a checkpoint, whose scores are not all below the threshold, and one of the shapes' pictures.
struct Trained {
  ShapesOnDisk shapes;
  std::string checkpoint = shapes.folder / "model.safetensors";
  Image picture = read_image(shapes.validation.images[0].file);
  HostArray pixels{{picture.height, picture.width, 3}, picture.rgb};
  HostArray boxes = filled({kRoom, 4}, -9.0f), scores = filled({kRoom}, -9.0f);
  HostArray labels = filled<std::int32_t>({kRoom}, -9);
  std::int32_t found = -9;

  explicit Trained(const std::vector<std::string>& settings = {}) {
    std::vector<std::string> all{"detect.score_threshold=0.02", "model.prior=0.05"};
    all.insert(all.end(), settings.begin(), settings.end());
    RunState state;
    state.config = tiny_config(all);
    state.classes = {"circle", "square", "triangle"};
    state.category_ids = {1, 2, 3};
    Checkpoint file;
    put_tensors(file, "", model_state(RetinaNet(state.config, 3)));
    put_run_state(file, state);
    save_checkpoint(checkpoint, file);
  }

  diopter_detector open() {
    diopter_detector detector = 0;
    INFO(diopter_last_error());
    REQUIRE(diopter_detector_open(checkpoint.c_str(), "cpu", &detector) == DIOPTER_OK);
    REQUIRE(detector > 0);
    return detector;
  }
  int detect(diopter_detector detector) {
    return diopter_detector_detect(detector, pixels, boxes, scores, labels, &found);
  }
};

}  // namespace

TEST_CASE("C interface: a detector finds in a picture in memory what it finds in the file") {
  const std::string tile = GENERATE("input.tile=0", "input.tile=24");
  INFO(tile);
  Trained t({tile});
  const diopter_detector detector = t.open();
  INFO(diopter_last_error());
  REQUIRE(t.detect(detector) == DIOPTER_OK);
  Dataset one = t.shapes.validation;
  one.images.resize(1);
  const std::vector<Detection> expected = detect_all(*load_model(t.checkpoint).model, one, {0, 1, 2}, {});
  REQUIRE(t.found == std::ssize(expected));
  REQUIRE(t.found > 0);
  for (int i = 0; i < std::min(t.found, kRoom); ++i) {
    const float* box = t.boxes.data<float>() + 4 * i;
    const Rect& rect = expected[static_cast<std::size_t>(i)].rect;
    CHECK(double{box[0]} == rect.x);
    CHECK(double{box[1]} == rect.y);
    CHECK(double{box[2]} - double{box[0]} == rect.w);
    CHECK(double{box[3]} - double{box[1]} == rect.h);
    CHECK(double{t.scores.data<float>()[i]} == expected[static_cast<std::size_t>(i)].score);
    CHECK(t.labels.data<std::int32_t>()[i] == expected[static_cast<std::size_t>(i)].category_id);
  }

  SECTION("with less room the best are written, and all counted") {
    HostArray boxes = filled({1, 4}, 0.0f), scores = filled({1}, 0.0f), labels = filled<std::int32_t>({1}, -9);
    std::int32_t found = 0;
    REQUIRE(diopter_detector_detect(detector, t.pixels, boxes, scores, labels, &found) == DIOPTER_OK);
    CHECK(found == t.found);
    CHECK(scores.data<float>()[0] == t.scores.data<float>()[0]);
  }
  REQUIRE(diopter_detector_close(detector) == DIOPTER_OK);
}

TEST_CASE("C interface: what a detector says of itself") {
  Trained t({"detect.max_detections=17"});
  const diopter_detector detector = t.open();
  diopter_detector_info info{sizeof(diopter_detector_info), 0, 0};
  REQUIRE(diopter_detector_describe(detector, &info) == DIOPTER_OK);
  CHECK(info.classes == 3);
  CHECK(info.max_detections == 17);
  info.struct_size = 4;
  require_refused(diopter_detector_describe(detector, &info), {"info->struct_size: is 4"});
  char name[7] = "";
  REQUIRE(diopter_detector_class_name(detector, 0, name, sizeof name) == DIOPTER_OK);
  CHECK(std::string(name) == "circle");
  require_refused(diopter_detector_class_name(detector, 1, name, 6), {"size: is 6, must be at least 7"});
  require_refused(diopter_detector_class_name(detector, 3, name, sizeof name), {"label: is 3, must be from 0 to 2"});
  require_refused(diopter_detector_class_name(detector, 0, nullptr, 7), {"name: is null"});
  REQUIRE(diopter_detector_close(detector) == DIOPTER_OK);
}

TEST_CASE("C interface: a closed detector, none at all, and files that are none") {
  Trained t;
  const diopter_detector detector = t.open();
  REQUIRE(diopter_detector_close(detector) == DIOPTER_OK);
  const std::string closed = "detector: " + std::to_string(detector) + " is closed";
  require_refused(t.detect(detector), {closed});
  require_refused(diopter_detector_close(detector), {closed});
  diopter_detector_info info{sizeof(diopter_detector_info), 0, 0};
  require_refused(diopter_detector_describe(detector, &info), {closed});
  char name[8];
  require_refused(diopter_detector_class_name(detector, 0, name, sizeof name), {closed});
  for (const diopter_detector number : {diopter_detector{0}, diopter_detector{-1}, detector + 1000}) {
    require_refused(t.detect(number), {"is none that diopter_detector_open has given"});
  }

  diopter_detector other = 5;
  require_refused(diopter_detector_open(nullptr, "cpu", &other), {"checkpoint: is null"});
  require_refused(diopter_detector_open(t.checkpoint.c_str(), nullptr, &other), {"device: is null"});
  require_refused(diopter_detector_open(t.checkpoint.c_str(), "cpu", nullptr), {"detector: is null"});
  CHECK(diopter_detector_open("no/such/file", "cpu", &other) == DIOPTER_FAILED);
  CHECK(other == 0);
  CHECK(contains(diopter_last_error(), "diopter_detector_open: no/such/file"));
  CHECK(diopter_detector_open(t.checkpoint.c_str(), "tpu", &other) == DIOPTER_FAILED);
  CHECK(contains(diopter_last_error(), "tpu"));
}

TEST_CASE("C interface: several threads use and close a detector, each with an error of its own") {
  Trained t;
  const diopter_detector detector = t.open();
  REQUIRE(t.detect(detector) == DIOPTER_OK);
  const std::vector<float> scores = t.scores.values<float>();
  constexpr int kThreads = 3;
  std::vector<std::string> errors(kThreads);
  std::vector<int> same(kThreads);
  {
    std::vector<std::jthread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&, i] {
        HostArray boxes = filled({kRoom, 4}, -9.0f), own = filled({kRoom}, -9.0f);
        HostArray labels = filled<std::int32_t>({kRoom}, -9);
        std::int32_t found = 0;
        for (int n = 0; n < 3; ++n) {
          same[static_cast<std::size_t>(i)] +=
              diopter_detector_detect(detector, t.pixels, boxes, own, labels, &found) == DIOPTER_OK &&
              own.values<float>() == scores;
        }
        diopter_detector_detect(1000 + i, t.pixels, boxes, own, labels, &found);
        errors[static_cast<std::size_t>(i)] = diopter_last_error();
      });
    }
  }
  for (int i = 0; i < kThreads; ++i) {
    CHECK(same[static_cast<std::size_t>(i)] == 3);
    CHECK(contains(errors[static_cast<std::size_t>(i)], "detector: " + std::to_string(1000 + i) + " is none"));
  }
  std::jthread detecting([&] {
    HostArray boxes = filled({kRoom, 4}, -9.0f), own = filled({kRoom}, -9.0f);
    HostArray labels = filled<std::int32_t>({kRoom}, -9);
    std::int32_t found = 0;
    while (diopter_detector_detect(detector, t.pixels, boxes, own, labels, &found) == DIOPTER_OK) {
    }
  });
  REQUIRE(diopter_detector_close(detector) == DIOPTER_OK);
}
