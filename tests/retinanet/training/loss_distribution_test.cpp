// The distribution of a loss over examples, on logits made by hand and of a model.
#include "retinanet/training/loss_distribution.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/losses/hinge.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/input.h"
#include "tests/retinanet/support.h"
#include "tests/support/catch.h"

using namespace diopter;
using test::error_of;

namespace {

LogitHistogram histogram(const std::vector<float>& logits) {
  LogitHistogram result;
  for (const float x : logits) result.add(x);
  return result;
}

bool near(double a, double b, double tolerance) { return std::fabs(a - b) <= tolerance; }

}  // namespace

TEST_CASE("loss distribution: four logits by hand") {
  const double losses[] = {std::log1p(std::exp(-4)), std::log1p(std::exp(-1)), std::log1p(std::exp(0.5)),
                           std::log1p(std::exp(3))};
  const double total = losses[0] + losses[1] + losses[2] + losses[3];
  for (const bool positive : {false, true}) {
    const float sign = positive ? -1.0f : 1.0f;
    const LossDistribution d(histogram({sign * 0.5f, sign * -4, sign * 3, sign * -1}), CeLoss{}, positive);
    CHECK(near(d.total(), total, 1e-12));
    CHECK(d.easiest(0) == 0);
    CHECK(near(d.easiest(0.25), losses[0] / total, 1e-12));
    CHECK(near(d.easiest(0.5), (losses[0] + losses[1]) / total, 1e-12));
    CHECK(near(d.easiest(0.875), 1 - losses[3] / 2 / total, 1e-12));  // half of the hardest one
    CHECK(d.easiest(1) == 1);
    CHECK(near(d.hardest(0.25), losses[3] / total, 1e-12));
  }
  const LossDistribution gradient(histogram({-4, 3}), CeLoss{}, false, Quantity::gradient);
  CHECK(near(gradient.total(), 1 / (1 + std::exp(4.0)) + 1 / (1 + std::exp(-3.0)), 1e-12));
}

TEST_CASE("loss distribution: nothing, no loss, far logits, logits that are not finite") {
  CHECK(LossDistribution({}, CeLoss{}, false).hardest(0.5) == 0);
  CHECK(LossDistribution(histogram({-20, -30}), HingeLoss{}, false).hardest(0.5) == 0);
  const LossDistribution far(histogram({-1000, 1000}), CeLoss{}, false);
  CHECK(far.total() == 1000);
  CHECK(far.hardest(0.5) == 1);
  for (const float x : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    CHECK(error_of([&] { histogram({x}); }) == "a logit of the network is not finite");
  }
}

TEST_CASE("loss distribution: bins cost less than the stated error") {
  std::vector<float> logits;
  for (int i = 0; i < 20000; ++i) {  // spread like a trained detector's: most far below 0, a tail above
    logits.push_back(-6 + 2 * std::sin(static_cast<float>(i)) + 6 * std::exp(-static_cast<float>(i) / 300));
  }
  const LogitHistogram bins = histogram(logits);
  std::sort(logits.begin(), logits.end());
  for (const float gamma : {0.0f, 2.0f}) {
    const FocalLoss loss{gamma, -1};
    double total = 0, easy = 0;
    for (std::size_t i = 0; i < logits.size(); ++i) {
      total += loss(static_cast<double>(logits[i]), false).value;
      if (i < logits.size() * 4 / 5) easy = total;
    }
    const double k = static_cast<double>(gamma) + 1, error = k / 256 * k / 256 / 8;
    const LossDistribution d(bins, loss, false);
    CHECK(near(d.total() / total, 1, error));
    CHECK(near(d.easiest(0.8), easy / total, 2 * error));
  }
}

TEST_CASE("loss distribution: of a model, sums to its classification loss") {
  const test::ShapesOnDisk shapes;
  for (const char* settings : {"loss.kind=ce", "loss.kind=focal"}) {
    const Config config = test::tiny_config({settings, "detect.batch_size=8"});  // one batch
    const int classes = static_cast<int>(shapes.validation.categories.size());
    const RetinaNet model(config, classes);
    std::int64_t done = 0;
    const ExampleLogits logits = example_logits(model, shapes.validation, [&](std::int64_t n) { done = n; });
    CHECK(done == 5);
    CHECK(logits.positives.count() > 0);

    Batch batch;
    LoaderOptions options = loader_options(config);
    options.batch_size = 8;
    EvaluationLoader(shapes.validation, options).next(batch);
    const RetinaNet::Output output = model(input_of(batch));
    const AnchorTargets targets = make_targets(config, output.grid, batch);
    const double loss = static_cast<double>(
        classification_loss(output.logits, classes, targets, Tensor::full({batch.images}, 1), config.loss.kind)
            .value()
            .item());
    const double total = LossDistribution(logits.positives, config.loss.kind, true).total() +
                         LossDistribution(logits.negatives, config.loss.kind, false).total();
    CHECK(near(total / loss, 1, 1e-5));
  }
}
