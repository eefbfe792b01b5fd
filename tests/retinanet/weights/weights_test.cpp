#include "retinanet/weights/weights.h"
#include "generated/source_dir.h"

#include <algorithm>
#include <set>

#include "retinanet/weights/foreign_weights.h"
#include "retinanet/weights/start.h"
#include "tests/retinanet/support.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"

namespace diopter {
namespace {

using namespace test;

/// The anchors of a pixel and the network's outputs for them.
struct Answer {
  Box anchor;
  std::vector<float> logits, deltas;
};

std::vector<Answer> answers(const RetinaNet& model, const Tensor& image) {
  const RetinaNet::Output output = model(Variable(image));
  const std::vector<float> logits = output.logits.rows.value().to_vector<float>();
  const std::vector<float> deltas = output.deltas.rows.value().to_vector<float>();
  std::vector<Answer> all;
  for (std::int64_t i = 0; i < output.grid.size(); ++i) {
    std::int64_t within = i;
    const int level = output.grid.level_of(within);
    Answer a{output.grid.box(level, within), {}, {}};
    for (int k = 0; k < model.classes(); ++k)
      a.logits.push_back(logits[static_cast<std::size_t>(i * model.classes() + k)]);
    for (int k = 0; k < 4; ++k) a.deltas.push_back(deltas[static_cast<std::size_t>(4 * i + k)]);
    all.push_back(a);
  }
  return all;
}

Weights weights_of(const RetinaNet& model, const Config& config) {
  Weights weights;
  weights.checkpoint.file = "x";
  put_tensors(weights.checkpoint, "", model_state(model));
  weights.state.config = config;
  for (int i = 0; i < model.classes(); ++i) {
    weights.state.classes.push_back(std::to_string(i));
    weights.state.category_ids.push_back(i + 1);
  }
  return weights;
}

/// A tiny detector with six anchors per pixel.
Config six_anchors(const std::vector<std::string>& settings) {
  std::vector<std::string> all{"anchors.ratios=[0.5, 1, 2]", "model.norm=batch"};
  all.insert(all.end(), settings.begin(), settings.end());
  return tiny_config(all);
}

TEST_CASE("weights: another order of colours and anchors gives the same answers") {
  const Config from = six_anchors(
      {"input.bgr=true", "anchors.order=scale_major", "input.mean=[1.0, 2.0, 3.0]", "input.std=[4.0, 5.0, 6.0]"});
  const Config to = six_anchors({"train.seed=9", "input.mean=[3.0, 2.0, 1.0]", "input.std=[6.0, 5.0, 4.0]"});
  RetinaNet source(from, 3), target(to, 3);
  CHECK(load_into(target, weights_of(source, from)).empty());
  source.set_training(false);
  target.set_training(false);
  const std::vector<float> rgb = test::uniform(32 * 32 * 3, -1, 1, 5);
  std::vector<float> bgr = rgb;
  for (std::size_t i = 0; i < bgr.size(); i += 3) std::swap(bgr[i], bgr[i + 2]);
  const std::vector<Answer> a = answers(source, Tensor::from({1, 32, 32, 3}, bgr));
  const std::vector<Answer> b = answers(target, Tensor::from({1, 32, 32, 3}, rgb));
  REQUIRE(a.size() == b.size());
  int moved = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const std::size_t pixel = i / 6 * 6;
    const auto twin = std::find_if(b.begin() + static_cast<std::ptrdiff_t>(pixel),
                                   b.begin() + static_cast<std::ptrdiff_t>(pixel + 6), [&](const Answer& x) {
                                     return x.anchor.x1 == a[i].anchor.x1 && x.anchor.y1 == a[i].anchor.y1 &&
                                            x.anchor.x2 == a[i].anchor.x2;
                                   });
    REQUIRE(twin < b.begin() + static_cast<std::ptrdiff_t>(pixel + 6));
    moved += twin - b.begin() != static_cast<std::ptrdiff_t>(i);
    require_close(twin->logits, a[i].logits, Tolerance::sum);
    require_close(twin->deltas, a[i].deltas, Tolerance::sum);
  }
  CHECK(moved > 0);
}

TEST_CASE("weights: settings that make other use of them are told") {
  const Config from = six_anchors({});
  const RetinaNet source(from, 3);
  const auto messages = [&](const std::vector<std::string>& settings, int classes = 3) {
    return load_into(RetinaNet(six_anchors(settings), classes), weights_of(source, from));
  };
  CHECK(messages({"train.lr=0.5", "detect.top_k=5", "loss.gamma=1"}).empty());
  CHECK(messages({"model.norm_eps=0"}) ==
        std::vector<std::string>{"x: was made with other settings: model.norm_eps is 1e-05, not 0.0"});
  CHECK(messages({"input.divisor=1", "anchors.offset=0.5"}) ==
        std::vector<std::string>{
            "x: was made with other settings: input.divisor is 255.0, not 1.0, anchors.offset is 0.0, not 0.5"});
  CHECK(messages({}, 2) ==
        std::vector<std::string>{"x: has other classes (3, not 2); the last classification layer starts afresh"});
}

namespace {

/// Rows of the last classification layer's bias and weights for a class, one after another for all anchors.
std::vector<float> class_rows(const RetinaNet& model, int number) {
  std::vector<float> rows;
  for (const NamedBuffer& t : model_state(model)) {
    if (!contains(t.name, "cls_logits")) continue;
    const std::vector<float> values = t.tensor.to_vector<float>();
    const std::int64_t all = t.tensor.shape()[0], row = std::ssize(values) / all;
    for (std::int64_t i = number; i < all; i += model.classes())
      rows.insert(rows.end(), values.begin() + i * row, values.begin() + (i + 1) * row);
  }
  return rows;
}

}  // namespace

TEST_CASE("weights: the rows of the last layer follow the names of the classes") {
  const Config from = six_anchors({"anchors.order=scale_major"}), to = six_anchors({"train.seed=9"});
  const RetinaNet source(from, 3);
  for (const NamedBuffer& t : model_state(source)) {  // biases are equal at the start
    if (t.name.ends_with("cls_logits.bias")) t.tensor.copy_from_host(test::uniform(t.tensor.size(), -1, 1, 4).data());
  }
  Weights weights = weights_of(source, from);
  weights.state.classes = {"cat", "dog", "cow"};
  // The same order of anchors, and of classes.
  const RetinaNet same(to, 3);
  CHECK(load_into(same, weights, {"cat", "dog", "cow"}).empty());

  const auto loaded = [&](const std::vector<std::string>& classes, const std::string& message) {
    auto model = std::make_unique<RetinaNet>(to, static_cast<int>(classes.size()));
    CHECK(load_into(*model, weights, classes) == std::vector<std::string>{message});
    return model;
  };
  const auto turned = loaded({"cow", "cat", "dog"},
                             "x: has the classes in another order; the rows of the last classification layer follow "
                             "their names");
  CHECK(class_rows(*turned, 0) == class_rows(same, 2));
  CHECK(class_rows(*turned, 1) == class_rows(same, 0));
  CHECK(class_rows(*turned, 2) == class_rows(same, 1));
  CHECK(class_rows(same, 1) != class_rows(same, 0));

  const RetinaNet fresh_two(to, 2), fresh_three(to, 3);
  const auto fewer = loaded({"bird", "dog"},
                            "x: has other classes; of the last classification layer the rows of 'dog' are kept, those "
                            "of 'bird' start afresh");
  CHECK(class_rows(*fewer, 0) == class_rows(fresh_two, 0));
  CHECK(class_rows(*fewer, 1) == class_rows(same, 1));
  CHECK(
      loaded({"dog"}, "x: has other classes; of the last classification layer the rows of 'dog' are kept")->classes() ==
      1);
  const auto others = loaded({"apple", "car", "Cat"},
                             "x: has none of the classes 'apple', 'car', 'Cat' but 'cat', 'dog', 'cow'; the last "
                             "classification layer starts afresh");
  for (int k = 0; k < 3; ++k) CHECK(class_rows(*others, k) == class_rows(fresh_three, k));

  // A file without names: their order counts.
  weights.names_known = false;
  const auto nameless =
      loaded({"apple", "car", "cat"}, "x: names no classes; the last classification layer is kept, in its order");
  CHECK(class_rows(*nameless, 2) == class_rows(same, 2));
}

TEST_CASE("weights: those that do not fit name the preset that they fit") {
  const auto error = [](const Config& from, const Config& to) {
    return error_of([&] { load_into(RetinaNet(to, 3), weights_of(RetinaNet(from, 3), from), {"0", "1", "2"}); });
  };
  CHECK(error(preset("small"), tiny_config()).ends_with("; they fit --preset small"));
  const std::string other = error(tiny_config(), preset("small"));
  INFO(other);
  CHECK(contains(other,
                 "; they were made with another network: model.width is 4, not 16, model.fpn_channels is 8, not "));
  CHECK(contains(other, "a pixel has 2 anchors, not "));
}

TEST_CASE("weights: a backbone leaves the rest alone") {
  const Config config = six_anchors({});
  Weights weights = weights_of(RetinaNet(config, 3), config);
  std::erase_if(weights.checkpoint.tensors, [](const auto& t) { return !is_of_backbone(t.first); });
  weights.backbone_only = true;
  const Config other = six_anchors({"train.seed=9", "model.fpn_channels=16", "anchors.offset=0.5"});
  const RetinaNet target(other, 5), fresh(other, 5);
  CHECK(load_into(target, weights) ==
        std::vector<std::string>{"x: holds a backbone only; pyramid and heads start afresh"});
  const Weights after = weights_of(target, other), before = weights_of(fresh, other);
  for (const auto& [name, tensor] : after.checkpoint.tensors) {
    INFO(name);
    const Tensor& expected = (is_of_backbone(name) ? weights : before).checkpoint.tensors.at(name);
    CHECK(tensor.to_vector<float>() == expected.to_vector<float>());
  }
  weights.checkpoint.tensors.erase("backbone.body.bn1.bias");
  CHECK(error_of([&] { load_into(target, weights); }) == "x: tensor backbone.body.bn1.bias is missing (f32 [4])");
}

TEST_CASE("weights: classes of files that name none") {
  bool known = false;
  const std::vector<Category> coco = default_classes(80, false, known);
  CHECK(known);
  REQUIRE(coco.size() == 80);
  CHECK((coco[0].id == 1 && coco[0].name == "person"));
  CHECK((coco[11].id == 13 && coco[11].name == "stop sign"));
  CHECK((coco[79].id == 90 && coco[79].name == "toothbrush"));
  CHECK(std::is_sorted(coco.begin(), coco.end(), [](const Category& a, const Category& b) { return a.id < b.id; }));
  const std::vector<Category> torchvision = default_classes(91, true, known);
  CHECK(known);
  REQUIRE(torchvision.size() == 91);
  std::set<std::string> names;
  for (std::size_t i = 0; i < 91; ++i) {
    CHECK(torchvision[i].id == static_cast<std::int64_t>(i));
    names.insert(torchvision[i].name);
  }
  CHECK(names.size() == 91);
  CHECK(torchvision[0].name == "unused 0");
  CHECK(torchvision[12].name == "unused 12");
  CHECK(torchvision[90].name == "toothbrush");
  for (const Category& c : coco) CHECK(torchvision[static_cast<std::size_t>(c.id)].name == c.name);

  CHECK((default_classes(3, true, known)[2].id == 2 && !known));
  CHECK((default_classes(91, false, known)[90].id == 91 && !known));
  CHECK(default_classes(2, false, known)[1].name == "class 1");
}

TEST_CASE("weights: a run starts from files of torch, or says what is wrong with them") {
  const std::string file = DIOPTER_SOURCE_DIR "/tests/golden/torch_files/training.pth";
  const RetinaNet model(six_anchors({"model.weights=" + file}), 2);
  CHECK(contains(error_of([&] { start(model); }), file + ": of no known network: its first tensor is 0.bias [2]; "));
}

}  // namespace
}  // namespace diopter
