// Detection with networks whose answers are known: the last convolutions give their bias only.
#include "retinanet/network/detect.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "engine/files/checkpoint.h"
#include "generated/cuda_kind.h"
#include "kernels/nn/pictures.h"
#include "retinanet/network/input.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

#ifdef DIOPTER_HOST_EXECUTOR
#include "kernels/host_executor/copies.h"
#endif

using namespace diopter;

namespace {

constexpr float kNever = -30;

float logit(double p) { return static_cast<float>(std::log(p / (1 - p))); }

/// One cell a pixel, two classes; the anchors are squares of 16 that tile the picture when the offset is .5.
struct TinyModel {
  RetinaNet model;

  TinyModel(const std::vector<float>& logits, const std::vector<float>& deltas, std::vector<std::string> settings = {})
      : model(config(std::move(settings)), 2) {
    for (const NamedBuffer& t : model_state(model)) {
      if (t.name.find("cls_logits") == std::string::npos && t.name.find("bbox_reg") == std::string::npos) continue;
      const bool bias = t.name.ends_with("bias");
      if (bias)
        t.tensor.copy_from_host((t.tensor.size() == 2 ? logits : deltas).data());
      else
        t.tensor.zero();
    }
  }

  static Config config(std::vector<std::string> settings) {
    std::vector<std::string> all{"model.min_level=4",         "model.max_level=4",  "anchors.size_factor=1",
                                 "anchors.scales=[1]",        "anchors.ratios=[1]", "anchors.offset=0.5",
                                 "detect.score_threshold=0.5"};
    all.insert(all.end(), settings.begin(), settings.end());
    return test::tiny_config(all);
  }
};

/// A batch of one grey picture of width x height in a square of 32, `factor` times larger in the file.
Batch grey(float width, float height, float factor_x, float factor_y) {
  Batch batch;
  batch.images = 1;
  batch.width = batch.height = 32;
  batch.pixels.assign(32 * 32 * 3, 0.0f);
  batch.offsets = {0, 0};
  batch.sizes = {width, height};
  batch.original_sizes = {width * factor_x, height * factor_y};
  batch.image_ids = {1};
  batch.names = {"grey"};
  return batch;
}

void require_box(const DetectedBox& d, const Box& box, int label, double score) {
  CHECK(d.box.x1 == Approx(box.x1).margin(1e-4));
  CHECK(d.box.y1 == Approx(box.y1).margin(1e-4));
  CHECK(d.box.x2 == Approx(box.x2).margin(1e-4));
  CHECK(d.box.y2 == Approx(box.y2).margin(1e-4));
  CHECK(d.label == label);
  CHECK(d.score == Approx(score));
}

}  // namespace

TEST_CASE("detections are decoded anchors in pixels of the original picture") {
  const TinyModel f({kNever, logit(0.9)}, {0, 0, 0, 0});
  const auto found = detect(f.model, grey(32, 32, 2, 2));
  REQUIRE(found.size() == 1);
  REQUIRE(found[0].size() == 4);
  require_box(found[0][0], {0, 0, 32, 32}, 1, 0.9);
  require_box(found[0][1], {32, 0, 64, 32}, 1, 0.9);
  require_box(found[0][2], {0, 32, 32, 64}, 1, 0.9);
  require_box(found[0][3], {32, 32, 64, 64}, 1, 0.9);

  // dx of half a width, and half the height.
  const TinyModel moved({logit(0.8), kNever}, {0.5f, 0, 0, std::log(0.5f)});
  require_box(detect(moved.model, grey(32, 32, 1, 3))[0][0], {8, 12, 24, 36}, 0, 0.8);
}

TEST_CASE("detections are clipped to the picture without its padding") {
  const TinyModel f({kNever, logit(0.9)}, {0, 0, 0, 0});
  const auto found = detect(f.model, grey(32, 24, 2, 4));
  REQUIRE(found[0].size() == 4);
  require_box(found[0][2], {0, 64, 32, 96}, 1, 0.9);
  require_box(found[0][3], {32, 64, 64, 96}, 1, 0.9);
}

TEST_CASE("clipping after NMS drops boxes outside the picture") {
  for (const char* before : {"true", "false"}) {
    INFO("clip_before_nms " << before);
    const TinyModel f({kNever, logit(0.9)}, {-1, 0, 0, 0}, {std::string("detect.clip_before_nms=") + before});
    const auto found = detect(f.model, grey(32, 32, 1, 1))[0];
    for (const DetectedBox& d : found) {
      CHECK(d.box.x1 >= 0);
      CHECK(d.box.x2 <= 32);
    }
    if (std::string(before) == "false") {
      REQUIRE(found.size() == 2);  // the left column's went out of the picture
      require_box(found[0], {0, 0, 16, 16}, 1, 0.9);
    }
  }
}

TEST_CASE("a network whose values are not finite is an error, not one that finds nothing") {
  const std::string rule = "the network gives values that are not finite: its weights are damaged or too large";
  const auto error = [](const std::vector<float>& logits, const std::vector<float>& deltas) {
    return test::error_of([&] { detect(TinyModel(logits, deltas).model, grey(32, 32, 1, 1)); });
  };
  CHECK(error({NAN, NAN}, {0, 0, 0, 0}) == rule);
  CHECK(error({0, INFINITY}, {0, 0, 0, 0}) == rule);
  CHECK(error({logit(0.9), 0}, {0, NAN, 0, 0}) == rule);
  CHECK(error({kNever, kNever}, {0, NAN, 0, 0}).empty());  // no box is asked for
  CHECK(error({logit(0.9), 0}, {0, 0, 0, 0}).empty());
}

TEST_CASE("score threshold and number of detections") {
  const std::vector<float> logits{logit(0.7), logit(0.9)}, still{0, 0, 0, 0};
  const auto found = [&](const std::vector<std::string>& settings) {
    return detect(TinyModel(logits, still, settings).model, grey(32, 32, 1, 1))[0];
  };
  CHECK(found({}).size() == 8);
  CHECK(found({"detect.score_threshold=0.8"}).size() == 4);
  CHECK(found({"detect.score_threshold=0.95"}).empty());
  CHECK(found({"detect.score_threshold=0"}).size() == 8);
  CHECK(found({"detect.top_k=3"}).size() == 3);
  CHECK(found({"detect.class_aware=false"}).size() == 4);
  const auto few = found({"detect.max_detections=5"});
  REQUIRE(few.size() == 5);
  for (int i = 0; i < 4; ++i) CHECK(few[i].label == 1);
  require_box(few[4], {0, 0, 16, 16}, 0, 0.7);
}

TEST_CASE("overlapping detections of a class are suppressed by the IoU threshold") {
  // Twice as large: neighbours overlap by 8 of 24 columns inside the picture, IoU 1/2.
  const std::vector<float> large{0, 0, std::log(2.0f), std::log(2.0f)};
  const auto count = [&](const char* iou) {
    return detect(TinyModel({kNever, logit(0.9)}, large, {iou}).model, grey(32, 32, 1, 1))[0].size();
  };
  CHECK(count("detect.nms_iou=0.55") == 4);
  CHECK(count("detect.nms_iou=0.45") == 2);  // the two on a diagonal: IoU 16^2 / (2 24^2 - 16^2) = .29
  CHECK(count("detect.nms_iou=0.2") == 1);
}

TEST_CASE("pictures of a batch do not mix") {
  const TinyModel f({kNever, logit(0.9)}, {0, 0, 0, 0});
  Batch two = grey(32, 32, 1, 1);
  two.images = 2;
  two.pixels.resize(2 * 32 * 32 * 3);
  two.sizes = {32, 32, 16, 32};
  two.original_sizes = {32, 32, 160, 320};
  const auto found = detect(f.model, two);
  REQUIRE(found.size() == 2);
  require_box(found[0][1], {16, 0, 32, 16}, 1, 0.9);
  require_box(found[1][0], {0, 0, 160, 160}, 1, 0.9);
}

TEST_CASE("detect_all visits every picture in order and names categories by their ids") {
  const test::ShapesOnDisk shapes;
  const TinyModel f({kNever, logit(0.9)}, {0, 0, 0, 0}, {"detect.batch_size=2"});
  std::vector<std::int64_t> done;
  const auto detections = detect_all(f.model, shapes.validation, {7, 40}, [&](std::int64_t n, std::int64_t total) {
    CHECK(total == 5);
    done.push_back(n);
  });
  CHECK(done == std::vector<std::int64_t>{2, 4, 5});
  REQUIRE(detections.size() == 20);
  for (std::size_t i = 0; i < detections.size(); ++i) {
    CHECK(detections[i].image_id == shapes.validation.images[i / 4].id);
    CHECK(detections[i].category_id == 40);
    CHECK(detections[i].rect.w == Approx(16));
  }
}

TEST_CASE("detect_all with tiles gives boxes in pixels of the whole picture") {
  const test::ShapesOnDisk shapes;
  const auto found = [&](const std::vector<std::string>& settings) {
    const TinyModel f({kNever, logit(0.9)}, {0, 0, 0, 0}, settings);
    std::vector<std::int64_t> done;
    std::vector<std::array<double, 5>> boxes;
    const auto progress = [&](std::int64_t n, std::int64_t) { done.push_back(n); };
    for (const Detection& d : detect_all(f.model, shapes.validation, {7, 40}, progress)) {
      boxes.push_back({static_cast<double>(d.image_id), d.rect.y, d.rect.x, d.rect.w, d.rect.h});
    }
    CHECK(std::is_sorted(done.begin(), done.end()));
    CHECK(done.back() == 5);
    std::sort(boxes.begin(), boxes.end());
    return boxes;
  };
  // The network sees an object in every square of 16 pixels.
  const auto whole = found({});
  REQUIRE(whole.size() == 20);
  CHECK(found({"input.tile=16", "input.tile_overlap=0", "detect.batch_size=3"}) == whole);
  CHECK(found({"input.tile=16", "input.tile_overlap=0", "input.tile_whole=true"}) == whole);
  CHECK(found({"input.tile=32"}) == whole);
  // Tiles of 24 begin at 0 and 8; squares of both agree where they overlap, and tell of one object.
  CHECK(found({"input.tile=24", "input.max_size=16", "input.enlarge=true"}).size() == 5);
}

TEST_CASE("detect_all leaves out pictures that cannot be decoded where it may, and says which") {
  const test::ShapesOnDisk shapes;
  for (const std::size_t i : {1, 2, 4}) test::write_bytes(shapes.validation.images[i].file, "no picture");
  const TinyModel f({kNever, logit(0.9)}, {0, 0, 0, 0},
                    {"detect.batch_size=1", GENERATE("train.workers=0", "train.workers=3")});
  CHECK(test::error_of([&] {
          detect_all(f.model, shapes.validation, {7, 40}, {});
        }).starts_with(shapes.validation.images[1].file + ": "));
  std::vector<UnreadablePicture> skipped;
  std::vector<std::int64_t> done;
  const auto detections = detect_all(
      f.model, shapes.validation, {7, 40}, [&](std::int64_t n, std::int64_t) { done.push_back(n); }, &skipped);
  CHECK(done == std::vector<std::int64_t>{1, 2, 3, 4, 5});
  REQUIRE(detections.size() == 8);
  CHECK(detections[3].image_id == shapes.validation.images[0].id);
  CHECK(detections[4].image_id == shapes.validation.images[3].id);
  REQUIRE(skipped.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(skipped[i].image == std::vector<std::size_t>{1, 2, 4}[i]);
    CHECK(skipped[i].reason.starts_with(shapes.validation.images[skipped[i].image].file + ": "));
  }
}

#ifdef DIOPTER_WITH_CUDA

namespace {

bool same(const DetectedBox& a, const DetectedBox& b) {
  return a.box == b.box && a.label == b.label && a.score == b.score;
}

/// Batches of two and of one picture, in turns.
std::vector<Batch> batches_of_two_sizes(const test::ShapesOnDisk& shapes, const Config& config) {
  std::vector<Batch> batches(6);
  for (const std::size_t size : {2, 1}) {
    LoaderOptions options = loader_options(config, Device::cuda);
    options.batch_size = static_cast<int>(size);
    EvaluationLoader loader(shapes.validation, options);
    for (std::size_t i = 2 - size; i < 4; i += 2) REQUIRE(loader.next(batches[i]));
    batches[6 - size] = batches[2 - size];
  }
  return batches;
}

}  // namespace

TEST_CASE(
    "detection on a GPU: with and without a graph the same bits, the batch in one copy, the detections in another") {
  if (!test::has_cuda()) return;
  const bool clip_before_nms = GENERATE(true, false);
  const test::ShapesOnDisk shapes;
  std::vector<std::vector<std::vector<DetectedBox>>> found[2];
  for (const bool graph : {false, true}) {
    const Config config =
        test::tiny_config({"detect.score_threshold=0", "detect.max_detections=7",
                           std::string("detect.cuda_graph=") + (graph ? "true" : "false"),
                           std::string("detect.clip_before_nms=") + (clip_before_nms ? "true" : "false")});
    RetinaNet model(config, 3);
    model.move_to(Device::cuda);
    model.set_training(false);
    Detector detector(model);
    for (const Batch& batch : batches_of_two_sizes(shapes, config)) {
#ifdef DIOPTER_HOST_EXECUTOR
      constexpr std::int64_t bytes_per_picture = 32 * 32 * 3 + sizeof(PictureBytes) + 2 * sizeof(int);
      const host_executor::Copies before = host_executor::copies();
#endif
      found[graph].push_back(detector(batch));
#ifdef DIOPTER_HOST_EXECUTOR
      const host_executor::Copies after = host_executor::copies();
      CHECK(after.to_device == before.to_device + 3);  // pictures, where they lie, sizes
      CHECK(after.bytes_to_device == before.bytes_to_device + batch.images * bytes_per_picture);
      CHECK(after.to_host == before.to_host + 1);
      CHECK(after.bytes_to_host == before.bytes_to_host + batch.images * 7 * 24);
#endif
    }
    CHECK(detector.recorded() == (graph ? 2 : 0));
  }
  REQUIRE(found[0].size() == 6);
  CHECK(found[0][0][0].size() == 7);
  for (std::size_t batch = 0; batch < found[0].size(); ++batch) {
    REQUIRE(found[0][batch].size() == found[1][batch].size());
    for (std::size_t image = 0; image < found[0][batch].size(); ++image) {
      REQUIRE(found[0][batch][image].size() == found[1][batch][image].size());
      for (std::size_t i = 0; i < found[0][batch][image].size(); ++i) {
        CHECK(same(found[0][batch][image][i], found[1][batch][image][i]));
      }
    }
  }
}

#endif
