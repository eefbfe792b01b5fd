// Training and detection in bf16 (docs/precision.md) against the same in float.
#include <cmath>
#include <filesystem>

#include "engine/files/checkpoint.h"
#include "retinanet/network/detect.h"
#include "retinanet/network/input.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/weights.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

using namespace diopter;

namespace {

/// Losses of a batch and gradients of all parameters.
struct StepValues {
  double classification, box;
  std::vector<float> gradients;
};

StepValues one_step(const Config& config, const Batch& batch, DType precision, Device device) {
  RetinaNet model(config, 3);
  model.move_to(device);
  model.set_precision(precision);
  Normaliser normaliser(config.loss, device);
  Tape tape;
  const RetinaNet::Output output = model(input_of(batch, device));
  CHECK(output.logits.rows.value().dtype() == precision);
  CHECK(output.deltas.rows.value().dtype() == DType::f32);
  const AnchorTargets targets = make_targets(config, output.grid, batch, device);
  const Tensor scale = normaliser.scale(targets);
  const Losses losses = detection_losses(config, 3, output.logits, output.deltas, targets, scale);
  tape.backward({losses.classification, losses.box});
  StepValues values{
      static_cast<double>(losses.classification.value().item()), static_cast<double>(losses.box.value().item()), {}};
  for (const NamedParameter& p : model.parameters()) {
    if (!p.variable.requires_gradient()) continue;
    for (float g : p.variable.gradient()->tensor().to_vector<float>()) values.gradients.push_back(g);
  }
  return values;
}

double norm(const std::vector<float>& x) {
  double sum = 0;
  for (float v : x) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

std::vector<float> difference(std::vector<float> a, const std::vector<float>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

std::vector<double> losses_of(const Trainer& trainer) {
  std::vector<double> sums;
  for (const auto& l : trainer.losses()) sums.push_back(l[0] + l[1]);
  return sums;
}

double mean_of_last(const std::vector<double>& values, int count) {
  double sum = 0;
  for (int i = 0; i < count; ++i) sum += values[values.size() - 1 - i];
  return sum / count;
}

}  // namespace

TEST_CASE("precision: losses and gradients of a step in bf16 are near those in float") {
  const test::ShapesOnDisk shapes;
  const Device device = GENERATE(from_range(test::devices()));
  const char* norm_kind = GENERATE("group", "batch", "frozen_batch");
  // Eight pictures, since batch statistics of a few values would make more of a rounding than the network does, and a
  // box loss without kinks.
  const Config config = test::tiny_config({std::string("model.norm=") + norm_kind, "train.workers=0",
                                           "train.batch_size=8", "loss.box=smooth_l1", "loss.smooth_l1_beta=1"});
  Loader loader(shapes.train, loader_options(config));
  const Batch batch = loader.next();
  const StepValues rounded = one_step(config, batch, DType::bf16, device);
  const StepValues exact = one_step(config, batch, DType::f32, device);
  INFO(norm_kind << " on " << test::device_name(device));
  CHECK(std::fabs(rounded.classification - exact.classification) <= 1e-2 * exact.classification);
  CHECK(std::fabs(rounded.box - exact.box) <= 1e-2 * exact.box);
  REQUIRE(rounded.gradients.size() == exact.gradients.size());
  // Most of it comes from ReLUs whose inputs are near zero: some pass a gradient in one precision and not in the other.
  CHECK(norm(difference(rounded.gradients, exact.gradients)) <= 0.1 * norm(exact.gradients));
}

TEST_CASE("precision: a run in bf16 trains as in float, and gives the same bits twice") {
  const test::ShapesOnDisk shapes;
  const Device device = GENERATE(from_range(test::devices()));
  INFO(test::device_name(device));
  const auto run = [&](const std::string& precision, const std::string& name) {
    Trainer trainer(test::tiny_config({"train.iterations=40", "train.precision=" + precision}), shapes.train, {},
                    shapes.folder / name, device);
    trainer.run({});
    return losses_of(trainer);
  };
  const std::vector<double> exact = run("float", "float"), rounded = run("bf16", "bf16"), again = run("bf16", "again");
  CHECK(rounded == again);
  CHECK(rounded != exact);
  CHECK(mean_of_last(rounded, 10) < 0.8 * rounded[0]);
  CHECK(mean_of_last(rounded, 10) == Approx(mean_of_last(exact, 10)).epsilon(0.1));
}

TEST_CASE("precision: checkpoints hold floats and move between float and bf16") {
  const test::ShapesOnDisk shapes;
  const Device device = test::devices().back();
  const auto config = [](const std::string& precision, const std::string& stop) {
    return test::tiny_config(
        {"train.iterations=8", "train.average=0.9", "train.precision=" + precision, "train.stop_at=" + stop});
  };
  const auto start = [&](const std::string& precision, const std::string& stop, const std::string& name) {
    Trainer trainer(config(precision, stop), shapes.train, shapes.validation, shapes.folder / name, device);
    trainer.run({});
    return losses_of(trainer);
  };
  const auto resume = [&](const std::string& name, const std::vector<std::string>& settings) {
    const auto trainer =
        Trainer::resume(shapes.folder / name, parse_settings(settings), shapes.train, shapes.validation, device);
    trainer->run({});
    return losses_of(*trainer);
  };
  const std::vector<double> whole = start("bf16", "0", "whole");
  start("bf16", "4", "half");
  for (const auto& [name, tensor] : load_checkpoint(last_checkpoint(shapes.folder / "half")).tensors) {
    INFO(name);
    CHECK(tensor.dtype() == DType::f32);
  }
  std::filesystem::copy(shapes.folder / "half", shapes.folder / "to_float", std::filesystem::copy_options::recursive);

  // The copies are made of the masters again: a resumed run gives the bits of the unbroken one.
  const std::vector<double> rest = resume("half", {});
  CHECK(rest == std::vector<double>(whole.begin() + 4, whole.end()));
  const std::vector<double> in_float = resume("to_float", {"train.precision=float"});
  REQUIRE(in_float.size() == 4);
  CHECK(in_float[0] == Approx(rest[0]).epsilon(0.01));  // the same weights and batch
  CHECK(in_float != rest);

  start("float", "4", "float");
  std::filesystem::copy(shapes.folder / "float", shapes.folder / "to_bf16", std::filesystem::copy_options::recursive);
  const double next = resume("float", {})[0];
  CHECK(resume("to_bf16", {"train.precision=bf16"})[0] == Approx(next).epsilon(0.01));
}

TEST_CASE("precision: detections in bf16 are near those in float") {
  const test::ShapesOnDisk shapes;
  const std::string folder = shapes.folder / "run";
  const Device device = GENERATE(from_range(test::devices()));
  Trainer trainer(test::tiny_config({"train.iterations=60", "detect.precision=bf16", "detect.score_threshold=0.01"}),
                  shapes.train, shapes.validation, folder, device);
  const Trainer::Result result = trainer.run({});
  CHECK(trainer.model().precision() == DType::f32);  // training goes on in float

  const LoadedModel loaded = load_model(last_checkpoint(folder), device);
  CHECK(loaded.model->precision() == DType::bf16);
  std::vector<std::int64_t> ids;
  for (const Category& c : shapes.validation.categories) ids.push_back(c.id);
  const auto rounded = detect_all(*loaded.model, shapes.validation, ids, {});
  CHECK(coco_metrics(shapes.validation, rounded).stats == result.metrics.stats);  // evaluated in the same precision
  loaded.model->set_precision(DType::f32);
  const auto exact = detect_all(*loaded.model, shapes.validation, ids, {});
  REQUIRE(!exact.empty());

  // The most certain detection of each picture is found again.
  for (const ImageRecord& image : shapes.validation.images) {
    const auto best = [&](const std::vector<Detection>& all) {
      for (const Detection& d : all) {
        if (d.image_id == image.id) return d;
      }
      return Detection{};
    };
    const Detection a = best(rounded), b = best(exact);
    REQUIRE(a.image_id == b.image_id);
    CHECK(a.score == Approx(b.score).margin(0.02));
  }
}
