// The examples of docs/adding_a_backbone.md, as a user would meet them: named in a configuration, trained, saved,
// loaded, and recognised in the weights of another program.
#include "generated/backbone_list.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/foreign_weights.h"
#include "retinanet/weights/weights.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

using namespace test;

TEST_CASE("backbones: a new family trains, is saved and loaded") {
  const ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  Trainer trainer(tiny_config({"model.backbone=plain", "model.freeze_stages=1", "train.stop_at=2"}), shapes.train,
                  shapes.validation, folder);
  const auto weights = [&](const Module& model, const std::string& name) {
    for (const NamedParameter& p : model.parameters()) {
      if (p.name == name) return p.variable.value().to_vector<float>();
    }
    FAIL(name << " is no parameter");
    return std::vector<float>();
  };
  const std::vector<float> frozen = weights(trainer.model(), "backbone.body.conv1.weight"),
                           learned = weights(trainer.model(), "backbone.body.conv2.weight");
  trainer.run({});
  CHECK((weights(trainer.model(), "backbone.body.conv1.weight") == frozen));
  CHECK((weights(trainer.model(), "backbone.body.conv2.weight") != learned));

  const LoadedModel loaded = load_model(last_checkpoint(folder));
  CHECK(loaded.model->config().model.backbone == "plain");
  for (const NamedParameter& p : trainer.model().parameters()) {
    INFO(p.name);
    CHECK((weights(*loaded.model, p.name) == p.variable.value().to_vector<float>()));
  }
}

TEST_CASE("backbones: the levels' shapes and channels are what the pyramid is told") {
  const Config config = tiny_config({"model.backbone=plain"});
  InitRandom random(1, InitialWeights::random);
  const std::unique_ptr<Backbone> backbone = make_backbone(config.model, 4, random);
  const std::vector<Variable> maps = (*backbone)(Variable(Tensor::zeros({2, 33, 64, 3})));
  REQUIRE(maps.size() == 3);
  CHECK(maps[0].shape() == Shape{2, 9, 16, backbone->channels(2)});
  CHECK(maps[1].shape() == Shape{2, 5, 8, backbone->channels(3)});
  CHECK(maps[2].shape() == Shape{2, 3, 4, backbone->channels(4)});
  CHECK(backbone->channels(4) == 8 * config.model.width);
}

TEST_CASE("backbones: a mistyped name is an error that names the nearest") {
  CHECK(contains(error_of([] { tiny_config({"model.backbone=plian"}); }), "plain"));
  Config config = tiny_config();
  config.model.backbone = "plian";
  CHECK(contains(error_of([&] { RetinaNet(config, 2); }), "there is no 'plian'; the nearest is plain"));
}

TEST_CASE("backbones: a new residual network is recognised in the weights of torchvision") {
  Config::Model model = tiny_config().model;
  model.backbone = "resnet152";
  CHECK(resnet_spec(model)->blocks == std::vector<int>{3, 8, 36, 3});
  model.backbone = "plain";
  CHECK(!resnet_spec(model));

  Checkpoint checkpoint;
  checkpoint.file = "resnet152.pth";
  checkpoint.tensors["conv1.weight"] = Tensor::zeros({1});
  const int blocks[] = {3, 8, 36, 3};
  for (int stage = 0; stage < 4; ++stage) {
    for (int b = 0; b < blocks[stage]; ++b) {
      for (const char* conv : {"conv1", "conv2", "conv3"}) {
        checkpoint.tensors["layer" + std::to_string(stage + 1) + "." + std::to_string(b) + "." + conv + ".weight"] =
            Tensor::zeros({1});
      }
    }
  }
  CHECK(recognise(checkpoint).config.model.backbone == "resnet152");
}

}  // namespace
}  // namespace diopter
