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

Run train(const test::ShapesOnDisk& shapes, const std::string& folder, Device device) {
  Trainer trainer(test::tiny_config({"train.iterations=8", "model.max_level=6"}), shapes.train, shapes.validation, folder,
                  device);
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
  const test::ShapesOnDisk shapes;
  const Run cpu = train(shapes, shapes.folder / "cpu", Device::cpu);
  const Run cuda = train(shapes, shapes.folder / "cuda", Device::cuda);
  const Run again = train(shapes, shapes.folder / "again", Device::cuda);
  REQUIRE(cuda.losses.size() == 8);
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
