#include <fstream>
#include <functional>
#include <limits>

#include "engine/files/checkpoint.h"
#include "kernels/base/files.h"
#include "retinanet/config/configure.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/weights.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

using namespace test;

TEST_CASE("a checkpoint that cannot be used is refused") {
  const ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run", file = last_checkpoint(folder);
  Trainer(tiny_config({"train.stop_at=1"}), shapes.train, shapes.validation, folder).run({});
  const std::string whole = read_file(file);
  const auto error_with = [&](const std::string& bytes) {
    const std::string broken = shapes.folder / "broken.safetensors";
    std::ofstream(broken, std::ios::binary) << bytes;
    const std::string message = error_of([&] { load_model(broken); });
    CHECK(message.starts_with(broken + ": "));
    return message;
  };
  CHECK(contains(error_with(whole.substr(0, whole.size() - 1)), "truncated"));
  CHECK(contains(error_with(whole.substr(0, 1000)), "truncated"));
  CHECK(contains(error_with(whole.substr(0, 5)), "truncated"));
  CHECK(contains(error_with("PK\x03\x04 a PyTorch file, which is a zip archive"), "truncated"));
  CHECK(contains(error_of([&] { load_model(shapes.folder / "none"); }), "no such file"));

  const auto changed = [&](const std::function<void(Checkpoint&)>& change) {
    Checkpoint checkpoint = load_checkpoint(file);
    change(checkpoint);
    save_checkpoint(shapes.folder / "changed.safetensors", checkpoint);
    return error_of([&] { load_model(shapes.folder / "changed.safetensors"); });
  };
  CHECK(contains(changed([](Checkpoint& c) { c.metadata.clear(); }),
                 "read as torchvision RetinaNet with resnet18: tensor "));
  CHECK(contains(changed([](Checkpoint& c) { c.metadata.erase("config"); }), "not a checkpoint of diopter train"));
  CHECK(contains(changed([](Checkpoint& c) { c.metadata["classes"] = "[\"circle\"]"; }), "names 1 classes"));
  CHECK(contains(changed([](Checkpoint& c) { c.metadata["classes"] = "circle"; }), "classes"));
  CHECK(contains(changed([](Checkpoint& c) { c.metadata["iteration"] = "many"; }), "not a number"));
  CHECK(contains(changed([](Checkpoint& c) { c.metadata["config"] = "[model]\nbackbone = 1\n"; }),
                 "model.backbone must be"));
  CHECK(contains(changed([](Checkpoint& c) { c.tensors.erase("backbone.body.conv1.weight"); }),
                 "tensor backbone.body.conv1.weight is missing"));
  CHECK(contains(changed([](Checkpoint& c) { c.tensors["backbone.extra"] = Tensor::zeros({1}); }),
                 "tensor backbone.extra has no place"));
}

TEST_CASE("a checkpoint whose settings describe a larger network than its tensors takes no memory for it") {
  const ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run", file = shapes.folder / "changed.safetensors";
  Trainer(tiny_config({"train.stop_at=1"}), shapes.train, shapes.validation, folder).run({});
  for (const char* setting : {"model.fpn_channels=4096", "model.width=1024"}) {
    INFO(setting);
    Checkpoint checkpoint = load_checkpoint(last_checkpoint(folder));
    RunState state = parse_run_state(checkpoint);
    set_config(state.config, setting);
    put_run_state(checkpoint, state);
    save_checkpoint(file, checkpoint);
    CHECK(contains(error_of([&] { load_model(file); }), file + ": the network of its settings has more than "));
  }
}

TEST_CASE("weights that are not finite are named") {
  const ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run", file = shapes.folder / "changed.safetensors";
  Trainer(tiny_config({"train.stop_at=1"}), shapes.train, shapes.validation, folder).run({});
  Checkpoint checkpoint = load_checkpoint(last_checkpoint(folder));
  const std::string name = "head.regression_head.bbox_reg.bias";
  const Tensor& bias = checkpoint.tensors.at(name);
  std::vector<float> values = bias.to_vector<float>();
  values.back() = std::numeric_limits<float>::quiet_NaN();
  values.front() = std::numeric_limits<float>::infinity();
  bias.copy_from_host(values.data());
  save_checkpoint(file, checkpoint);
  CHECK(error_of([&] { load_model(file); }) ==
        file + ": tensor " + name + " has 2 values that are not finite, of " + std::to_string(values.size()));
}

}  // namespace
}  // namespace diopter
