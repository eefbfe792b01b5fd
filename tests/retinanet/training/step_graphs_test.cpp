#include "retinanet/training/step_graphs.h"

#include "kernels/nn/elementwise.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/training/run_folder.h"
#include "retinanet/training/trainer.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/devices.h"

using namespace diopter;

namespace {

/// A batch whose pictures and boxes all hold `value`.
struct Made {
  Variable images;
  TruthTensors truth;

  Made(std::int64_t count, std::int64_t height, std::int64_t boxes, float value, Device device)
      : images(Tensor::full({count, height, 16, 3}, value, device)) {
    std::vector<std::int32_t> offsets(static_cast<std::size_t>(count + 1), static_cast<std::int32_t>(boxes));
    offsets[0] = 0;
    truth = {Tensor::full({boxes, 4}, value, device),
             Tensor::from({boxes}, std::vector<std::int32_t>(static_cast<std::size_t>(boxes), 3), device),
             Tensor::from({count + 1}, offsets, device)};
  }
};

/// Losses of every step and the weights at the end.
struct GraphRun {
  std::vector<std::array<double, 2>> losses;
  std::vector<float> weights, averages;
  CocoNumbers stats;
  std::string messages;
};

GraphRun train(const test::ShapesOnDisk& shapes, const std::string& name, const std::vector<std::string>& settings) {
  const std::string folder = shapes.folder / name;
  Trainer trainer(test::tiny_config(settings), shapes.train, shapes.validation, folder, Device::cuda);
  GraphRun run;
  TrainerCallbacks callbacks;
  callbacks.message = [&](const std::string& message) { run.messages += message + "\n"; };
  run.stats = trainer.run(callbacks).metrics.stats;
  run.losses = trainer.losses();
  for (const auto& [tensor_name, tensor] : load_checkpoint(last_checkpoint(folder)).tensors) {
    const std::vector<float> values = tensor.to_vector<float>();
    run.weights.insert(run.weights.end(), values.begin(), values.end());
  }
  return run;
}

}  // namespace

TEST_CASE("step graphs: each size is recorded at its second batch, and anew where boxes need more room") {
  const Device device = GENERATE(from_range(test::devices()));
  INFO(test::device_name(device));
  const Tensor sum = Tensor::zeros({3}, DType::f32, device);  // of the first values of pictures, boxes and labels
  int calls = 0;
  StepGraphs graphs(device, [&](const Variable& images, const TruthTensors& truth) {
    ++calls;
    const auto add_first = [&](int which, const Tensor& from) {
      const Tensor to = sum.slice(which, which + 1), first = from.reshape({from.size()}).slice(0, 1).clone();
      DIOPTER_DISPATCH(device, add, 1, to.data<float>(), first.data<float>(), to.data<float>());
    };
    add_first(0, images.value());
    add_first(1, truth.boxes);
    CHECK(truth.labels.size() >= 40);
    CHECK(truth.offsets.shape() == Shape{images.shape()[0] + 1});
  });
  const auto run = [&](std::int64_t height, std::int64_t boxes, float value) {
    const Made made(2, height, boxes, value, device);
    graphs.run(made.images, made.truth);
  };
  run(16, 40, 1);
  CHECK(graphs.recorded() == 0);
  run(16, 40, 10);
  CHECK(graphs.recorded() == 1);
  run(16, 60, 100);
  run(32, 50, 1000);
  CHECK(graphs.recorded() == 1);
  run(16, 64, 10000);
  CHECK(graphs.recorded() == 1);
  run(16, 65, 100000);
  CHECK(graphs.recorded() == 2);
  run(32, 200, 1000000);
  CHECK(graphs.recorded() == 3);
  CHECK(sum.to_vector<float>() == std::vector<float>{1111111, 1111111, 0});
  if (device == Device::cuda) CHECK(calls == 5);  // two sizes at first, three recorded
  CHECK(!graphs.overflowed());
}

TEST_CASE("step graphs: sizes beyond the most run kernel by kernel") {
  const Device device = test::devices().back();
  int calls = 0;
  StepGraphs graphs(device, [&](const Variable&, const TruthTensors&) { ++calls; });
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < StepGraphs::kMostSizes + 2; ++i) {
      const Made made(1, 16 * (i + 1), 1, 0, device);
      graphs.run(made.images, made.truth);
    }
    CHECK(graphs.overflowed());
  }
  CHECK(graphs.recorded() == StepGraphs::kMostSizes);
  if (device == Device::cuda) CHECK(calls == 2 * StepGraphs::kMostSizes + 3 * 2);
}

TEST_CASE("step graphs: a run gives the bits of the one without them") {
  if (!test::has_cuda()) {
    test::skip("the build has no cuda device");
    return;
  }
  const std::vector<std::string> settings =
      GENERATE(std::vector<std::string>{"train.average=0.9", "loss.normaliser=ema", "train.evaluate_every=4"},
               std::vector<std::string>{"train.precision=bf16", "model.norm=batch", "train.clip_norm=1"},
               std::vector<std::string>{"model.norm=frozen_batch", "model.max_level=6", "loss.normaliser=image",
                                        "match.low_quality=false"},
               std::vector<std::string>{"loss.kind=ohem:batch=8"},
               std::vector<std::string>{"input.resize=shorter_side", "input.min_sizes=[16, 32]", "loss.box=l1"});
  std::vector<std::string> all{"train.iterations=10", "train.save_every=3"};
  all.insert(all.end(), settings.begin(), settings.end());
  INFO(settings[0]);
  const test::ShapesOnDisk shapes;
  const GraphRun plain = train(shapes, "plain", all);
  all.push_back("train.cuda_graph=true");
  const GraphRun graph = train(shapes, "graph", all);
  CHECK(graph.losses == plain.losses);
  CHECK(graph.weights == plain.weights);
  CHECK(graph.stats == plain.stats);
  CHECK(graph.messages == plain.messages);

  // Resumed, with another graph of course.
  std::vector<std::string> stopped = all;
  stopped.push_back("train.stop_at=5");
  train(shapes, "stopped", stopped);
  const auto resumed = Trainer::resume(shapes.folder / "stopped", {}, shapes.train, shapes.validation, Device::cuda);
  resumed->run({});
  CHECK(resumed->losses() == std::vector<std::array<double, 2>>(plain.losses.begin() + 5, plain.losses.end()));
}

TEST_CASE("step graphs: what they do not go with is said in one line") {
  const test::ShapesOnDisk shapes;
  const auto error_of_training = [&](const std::vector<std::string>& settings) {
    return test::error_of(
        [&] { Trainer(test::tiny_config(settings), shapes.train, {}, shapes.folder / "run", Device::cpu); });
  };
  CHECK(error_of_training({"train.cuda_graph=true"}) == "train.cuda_graph=true needs --device cuda");
  CHECK(error_of_training({"train.cuda_graph=true", "train.accumulate=2"}) ==
        "train.cuda_graph needs train.accumulate = 1");
  CHECK(!std::filesystem::exists(shapes.folder / "run"));
}

TEST_CASE("step graphs: a loss that is not finite stops the run") {
  if (!test::has_cuda()) {
    test::skip("the build has no cuda device");
    return;
  }
  const test::ShapesOnDisk shapes;
  const Config config = test::tiny_config({"train.cuda_graph=true", "train.lr=1e30", "train.clip_norm=0"});
  const std::string message =
      test::error_of([&] { Trainer(config, shapes.train, {}, shapes.folder / "run", Device::cuda).run({}); });
  CHECK(test::contains(message, "is not finite at iteration 2"));
}
