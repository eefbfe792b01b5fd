#include <cmath>

#include "engine/checkpoint.h"
#include "retinanet/run_folder.h"
#include "retinanet/trainer.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"

using namespace diopter;

namespace {

/// Losses of every step, and the weights at the end.
struct Run {
  std::vector<std::array<double, 2>> losses;
  std::vector<float> weights;
  CocoMetrics metrics;
};

Run train(const test::ShapesOnDisk& shapes, const std::string& folder, Device device,
          const std::vector<std::string>& settings) {
  Trainer trainer(test::tiny_config(settings), shapes.train, shapes.validation, folder, device);
  const Trainer::Result result = trainer.run({});
  Run run{trainer.losses(), {}, result.metrics};
  for (const NamedParameter& p : trainer.model().parameters()) {
    for (float w : p.variable.value().to_vector<float>()) run.weights.push_back(w);
  }
  return run;
}

}  // namespace

TEST_CASE("device: the same training run on both devices, and the same bits twice") {
  if (!test::has_cuda()) {
    test::skip("the build has no cuda device");
    return;
  }
  const std::vector<std::string> settings = GENERATE(
      std::vector<std::string>{}, std::vector<std::string>{"loss.normaliser=ema", "train.accumulate=2", "train.average=0.9",
                                                           "train.clip_norm=1", "loss.box_weight=2"},
      std::vector<std::string>{"loss.kind=ohem:batch=8", "train.iterations=4"},
      std::vector<std::string>{"loss.kind=ohem13:batch=16", "loss.normaliser=image", "train.iterations=4"});
  std::vector<std::string> all{"train.iterations=8", "model.max_level=6"};
  all.insert(all.end(), settings.begin(), settings.end());
  const test::ShapesOnDisk shapes;
  const Run cpu = train(shapes, shapes.folder / "cpu", Device::cpu, all);
  const Run cuda = train(shapes, shapes.folder / "cuda", Device::cuda, all);
  const Run again = train(shapes, shapes.folder / "again", Device::cuda, all);
  REQUIRE(cuda.losses.size() == cpu.losses.size());
  for (std::size_t i = 0; i < cpu.losses.size(); ++i) {
    INFO("step " << i + 1);
    for (int l = 0; l < 2; ++l) {
      CHECK(std::fabs(cuda.losses[i][l] - cpu.losses[i][l]) <= 1e-3 * std::fabs(cpu.losses[i][l]));
      CHECK(cuda.losses[i][l] == again.losses[i][l]);
    }
  }
  test::require_close(cuda.weights, cpu.weights, 1e-3);
  CHECK(cuda.weights == again.weights);
  CHECK(cuda.metrics.stats == again.metrics.stats);

  // A checkpoint moves between the devices: what one wrote, the other goes on with.
  const auto resumed = Trainer::resume(shapes.folder / "cuda", {"train.iterations=10"}, shapes.train, shapes.validation);
  CHECK(resumed->run({}).iteration == 10);
}
