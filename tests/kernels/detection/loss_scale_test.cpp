#include "kernels/detection/loss_scale.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "kernels/detection/classification_loss.h"
#include "kernels/plain/loss_scale.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/device_buffer.h"
#include "tests/support/files.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

using namespace test;

struct Scaled {
  std::vector<float> scale;
  float average, total;
};

/// What loss_scale, a function of LossScaleArgs, gives on a device.
template <class LossScale>
Scaled scaled(Device device, LossNormaliser normaliser, const std::vector<std::int32_t>& positives, float average,
              const LossScale& loss_scale) {
  std::vector<float> scale(positives.size(), -1), averages{average}, total{-1};
  on(device, [&](auto& at) {
    const LossScaleArgs args{.normaliser = normaliser,
                             .momentum = 0.9f,
                             .images = static_cast<int>(positives.size()),
                             .positives = at(positives),
                             .average = at(averages),
                             .scale = at(scale),
                             .total = at(total)};
    loss_scale(args);
  });
  return {scale, averages[0], total[0]};
}

Scaled run(Device device, LossNormaliser normaliser, const std::vector<std::int32_t>& positives, float average = 100) {
  return scaled(device, normaliser, positives, average,
                [&](const LossScaleArgs& args) { DIOPTER_DISPATCH(device, loss_scale, args); });
}

TEST_CASE("loss scale: by image, by batch and by moving average") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const Scaled image = run(device, LossNormaliser::image, {5, 0, 2, 1});
  CHECK(image.scale == std::vector<float>{1 / 20.0f, 1 / 4.0f, 1 / 8.0f, 1 / 4.0f});
  CHECK(image.average == 100);
  CHECK(image.total == 8);

  CHECK(run(device, LossNormaliser::batch, {5, 0, 3}).scale == std::vector<float>(3, 0.125f));
  CHECK(run(device, LossNormaliser::batch, {0, 0}).scale == std::vector<float>(2, 1));
  CHECK(run(device, LossNormaliser::batch, {0, 0}).total == 0);

  const Scaled ema = run(device, LossNormaliser::ema, {30, 20});
  CHECK(ema.average == Approx(95));
  CHECK(ema.scale == std::vector<float>(2, static_cast<float>(1 / static_cast<double>(ema.average))));
  CHECK(run(device, LossNormaliser::ema, {0}).average == Approx(0.9 * 100 + 0.1));  // nothing counts as one positive
}

TEST_CASE("loss scale: equals the plain version") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  for (LossNormaliser normaliser : {LossNormaliser::image, LossNormaliser::batch, LossNormaliser::ema}) {
    for (const std::vector<std::int32_t>& positives :
         {std::vector<std::int32_t>{0}, {7}, {0, 3, 0}, {1, 200, 33, 0, 12, 5, 9, 1}}) {
      const Scaled found = run(device, normaliser, positives, 17.25f);
      const Scaled expected = scaled(Device::cpu, normaliser, positives, 17.25f, plain::loss_scale);
      CHECK(found.scale == expected.scale);
      CHECK(found.average == expected.average);
      CHECK(found.total == expected.total);
    }
  }
}

TEST_CASE("loss scale: guided, equals the plain version, and what is not finite is not hidden") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const auto factor_of = [](Device on_device, float classification, float box, const auto& guided_scale) {
    const std::vector<float> classifications{classification}, boxes{box};
    std::vector<float> factor{-1};
    on(on_device, [&](auto& at) { guided_scale(GuidedScaleArgs{at(classifications), at(boxes), at(factor)}); });
    return factor[0];
  };
  const auto found = [&](float classification, float box) {
    return factor_of(device, classification, box,
                     [&](const GuidedScaleArgs& args) { DIOPTER_DISPATCH(device, guided_scale, args); });
  };
  for (const float classification : {0.0f, 1e-20f, 0.3f, 7.0f, 1e9f}) {
    for (const float box : {0.0f, 0.25f, 3.0f}) {
      CHECK(found(classification, box) == factor_of(Device::cpu, classification, box, plain::guided_scale));
    }
  }
  CHECK(found(4, 3) == 0.75f);
  CHECK(found(4, 0) == 0);  // no positives
  for (const auto& [classification, box] : std::vector<std::pair<float, float>>{
           {NAN, 1}, {1, NAN}, {NAN, 0}, {0, NAN}, {INFINITY, 1}, {INFINITY, 0}, {INFINITY, INFINITY}}) {
    INFO(classification << ' ' << box);
    CHECK_FALSE(std::isfinite(found(classification, box) * classification));
  }
}

}  // namespace
}  // namespace diopter
