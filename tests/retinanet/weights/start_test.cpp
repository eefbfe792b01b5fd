#include "retinanet/weights/start.h"

#include "retinanet/config/config_text.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/builtin_weights.h"
#include "tests/retinanet/support.h"
#include "tests/support/compare.h"

namespace diopter {
namespace {

using namespace test;

std::vector<float> values_of(const RetinaNet& model, const std::string& name) {
  for (const NamedBuffer& t : model_state(model)) {
    if (t.name == name) return t.tensor.to_vector<float>();
  }
  FAIL(name);
  return {};
}

bool same_values(const RetinaNet& a, const RetinaNet& b, const std::string& name) {
  return values_of(a, name) == values_of(b, name);
}

constexpr const char* kStem = "backbone.body.conv1.weight";
constexpr const char* kClasses = "head.classification_head.cls_logits.weight";
constexpr const char* kBoxes = "head.regression_head.bbox_reg.weight";

TEST_CASE("built-in weights: the preset small starts from them, and its last classification layer afresh") {
  const Config config = preset("small");
  REQUIRE(config.model.weights == kAutoWeights);
  CHECK(!starts_afresh(config));
  const RetinaNet fresh(config, 3), model(config, 3);
  const std::string message = start(model, {"RBC", "WBC", "Platelets"});
  CHECK(message ==
        "the built-in small.safetensors: has none of the classes 'RBC', 'WBC', 'Platelets' but 24 others; the last "
        "classification layer starts afresh");
  const std::unique_ptr<RetinaNet> own = [] {
    const Weights weights = builtin_weights();
    auto whole = std::make_unique<RetinaNet>(weights.state.config, static_cast<int>(weights.state.classes.size()));
    load_into(*whole, weights);
    return whole;
  }();
  for (const char* name : {kStem, kBoxes}) {
    CHECK(same_values(model, *own, name));
    CHECK(!same_values(model, fresh, name));
  }
  CHECK(same_values(model, fresh, kClasses));
}

TEST_CASE("built-in weights: rows of classes that have their names are theirs") {
  const Weights weights = builtin_weights();
  const std::vector<std::string>& names = weights.state.classes;
  REQUIRE(names.size() == 24);
  const Config config = preset("small");
  const RetinaNet model(config, 2), fresh(config, 2);
  const std::string message = start(model, {names[5], "car"});
  CHECK(contains(message, "rows of '" + names[5] + "' are kept, those of 'car' start afresh"));
  CHECK(!same_values(model, fresh, kClasses));
}

TEST_CASE("built-in weights: another network starts afresh and says why") {
  for (const char* setting : {"model.width=8", "model.groups=4", "model.head_depth=1", "model.max_level=5",
                              "anchors.ratios=[1]", "model.backbone=resnet18"}) {
    INFO(setting);
    Config config = configured("small", {setting});
    CHECK(starts_afresh(config));
    const RetinaNet model(config, 3), fresh(config, 3);
    const std::string message = start(model);
    CHECK(contains(message, "model.weights = auto: the built-in small.safetensors is of another network ("));
    CHECK(contains(message, "; this one starts afresh"));
    CHECK(same_values(model, fresh, kStem));
  }
  const RetinaNet groups(configured("small", {"model.groups=4"}), 3);
  CHECK(contains(start(groups), "(model.groups is 8, not 4)"));
  const RetinaNet anchors(configured("small", {"anchors.ratios=[1]"}), 3);
  CHECK(contains(start(anchors), "(a pixel has 9 anchors, not 3)"));
}

TEST_CASE("built-in weights: other anchors and means are a start, and said") {
  const Config config = configured("small", {"anchors.size_factor=5", "input.max_size=256"});
  CHECK(!starts_afresh(config));
  const RetinaNet model(config, 3), fresh(config, 3);
  CHECK(contains(start(model), "was made with other settings: anchors.size_factor is 3.0, not 5.0"));
  CHECK(!same_values(model, fresh, kStem));
}

TEST_CASE("built-in weights: a run begins with them and notes it, without a warning") {
  const ShapesOnDisk shapes;
  std::vector<std::string> notes, messages;
  TrainerCallbacks callbacks;
  callbacks.note = [&](const std::string& note) { notes.push_back(note); };
  callbacks.message = [&](const std::string& message) { messages.push_back(message); };
  Trainer trainer(configured("small", {"train.lr=0", "train.stop_at=1"}), shapes.train, {}, shapes.folder / "run");
  trainer.run(callbacks);
  REQUIRE(notes.size() == 1);
  CHECK(contains(notes[0], "the built-in small.safetensors: has none of the classes 'circle', "));
  CHECK(messages.empty());
  const RetinaNet model(preset("small"), 3);
  start(model);
  for (const char* name : {kStem, kBoxes}) CHECK(same_values(trainer.model(), model, name));

  messages.clear();
  Trainer frozen(configured("small", {"model.width=8", "model.freeze_stages=1", "train.stop_at=1"}), shapes.train, {},
                 shapes.folder / "frozen");
  frozen.run(callbacks);
  REQUIRE(messages.size() == 1);
  CHECK(contains(messages[0], "no weights to start from, but model.freeze_stages"));
}

TEST_CASE("without model.weights a network stays as it is initialised") {
  const Config config = configured("small", {"model.weights="});
  CHECK(starts_afresh(config));
  const RetinaNet model(config, 3), fresh(config, 3);
  CHECK(start(model).empty());
  for (const char* name : {kStem, kBoxes, kClasses}) CHECK(same_values(model, fresh, name));
  CHECK(!starts_afresh(configured("small", {"model.weights=some.pth"})));
}

TEST_CASE("built-in weights: they name the preset's network, data and no file to start from") {
  const Weights weights = builtin_weights();
  CHECK(!weights.foreign);
  CHECK(!weights.backbone_only);
  CHECK(weights.state.config.model.weights.empty());
  CHECK(network_differences(weights, preset("small")).empty());
  CHECK(network_differences(weights, preset("small_sgd")).empty());
  CHECK(differences(weights.state.config, preset("small"),
                    {"input.mean", "input.std", "input.divisor", "input.bgr", "model.norm_eps", "anchors.size_factor",
                     "anchors.scales", "anchors.ratios"})
            .empty());
}

}  // namespace
}  // namespace diopter
