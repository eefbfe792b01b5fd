// Contents of a dump: the detections of detect() and the values between input and output.
#include "retinanet/network/dump.h"

#include "retinanet/network/input.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("a dump holds every level, and the detections are those of detect") {
  const test::ShapesOnDisk shapes;
  RetinaNet model(test::tiny_config({"detect.score_threshold=0"}), 3);
  model.set_training(false);
  EvaluationLoader loader(shapes.validation, loader_options(model.config()));
  Batch batch;
  REQUIRE(loader.next(batch));
  Checkpoint dump;
  const auto dumped = detect_with_dump(model, batch, "1/", dump), found = detect(model, batch);

  std::vector<float> boxes, scores;
  for (int n = 0; n < batch.images; ++n) {
    REQUIRE(dumped[n].size() == found[n].size());
    for (std::size_t i = 0; i < found[n].size(); ++i) {
      REQUIRE(dumped[n][i].box == found[n][i].box);
      const Box& b = found[n][i].box;
      boxes.insert(boxes.end(), {b.x1, b.y1, b.x2, b.y2});
      scores.push_back(found[n][i].score);
    }
  }
  REQUIRE(!scores.empty());
  const auto values = [&](const std::string& name) { return dump.tensors.at("1/" + name).to_vector<float>(); };
  CHECK((values("boxes") == boxes));
  CHECK((values("scores") == scores));
  CHECK((values("input") == batch.pixels));
  const RetinaNet::Output output = model(input_of(batch));
  for (int l = 0; l < 3; ++l) {
    const std::string level = "P" + std::to_string(l + 2);
    CHECK((values("logits." + level) == output.logits.level(l).to_vector<float>()));
    CHECK((values("deltas." + level) == output.deltas.level(l).to_vector<float>()));
    CHECK(dump.tensors.at("1/" + level).shape() == Shape{batch.images, 8 >> l, 8 >> l, 8});
  }
  CHECK(dump.tensors.at("1/C4").shape() == Shape{batch.images, 2, 2, 16});
  CHECK(dump.tensors.count("1/C5") == 0);  // levels end at P4
}
