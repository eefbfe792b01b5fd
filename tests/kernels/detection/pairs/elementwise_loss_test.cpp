#include "kernels/detection/pairs/elementwise_loss.h"

#include <cmath>

#include "kernels/base/check.h"
#include "kernels/plain/elementwise_loss.h"
#include "tests/kernels/detection/loss_variations.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

namespace diopter {
namespace {

template <class T>
struct Outputs {
  std::vector<float> losses, sum{NAN};
  std::vector<T> gradient;
};

/// Every fifth target is 1, and those of a loss with soft ones lie between, too.
std::vector<float> some_targets(std::size_t n, const AnyLoss& loss) {
  std::vector<float> targets(n, 0.0f);
  const std::vector<float> between = test::uniform(n, 0, 1, 9);
  for (std::size_t i = 0; i < n; i += 5) targets[i] = has_soft_targets(loss) && i % 2 == 0 ? between[i] : 1.0f;
  return targets;
}

template <class T>
Outputs<T> outputs_of(Device device, const std::vector<T>& logits, const std::vector<float>& targets,
                      const AnyLoss& loss, std::size_t shift = 0) {
  Outputs<T> out{std::vector<float>(logits.size(), NAN), {NAN}, std::vector<T>(logits.size(), T(-12345.0f))};
  test::DeviceArrays at(device, shift);
  DIOPTER_DISPATCH(device, elementwise_loss,
                   ElementwiseLossArgs<T>{static_cast<std::int64_t>(logits.size()), at(logits), at(targets), 0.5f,
                                          at(out.losses), at(out.sum), at(out.gradient)},
                   loss);
  at.download();
  return out;
}

template <class T>
Outputs<T> plain_outputs(const std::vector<T>& logits, const std::vector<float>& targets, const AnyLoss& loss) {
  Outputs<T> out{std::vector<float>(logits.size(), NAN), {NAN}, std::vector<T>(logits.size())};
  plain::elementwise_loss(
      ElementwiseLossArgs<T>{static_cast<std::int64_t>(logits.size()), logits.data(), targets.data(), 0.5f,
                             out.losses.data(), out.sum.data(), out.gradient.data()},
      loss);
  return out;
}

template <class T>
std::vector<T> some_logits(std::size_t n) {
  const std::vector<float> values = test::uniform(n, -8, 8, 3);
  return std::vector<T>(values.begin(), values.end());
}

template <class T>
std::vector<float> floats_of(const std::vector<T>& values) {
  return std::vector<float>(values.begin(), values.end());
}

template <class T>
void check_all_losses() {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<T> logits = some_logits<T>(300);
  const double tolerance = device == Device::cuda ? 4e-5 : 1e-5;  // approximate reciprocals are a few units off
  for (const AnyLoss& loss : test::combinations()) {
    INFO(test::described(loss));
    const std::vector<float> targets = some_targets(logits.size(), loss);
    const Outputs<T> out = outputs_of(device, logits, targets, loss), expected = plain_outputs(logits, targets, loss);
    test::require_close(out.losses, expected.losses, tolerance);
    test::require_close(out.sum, expected.sum, tolerance);
    test::require_close(floats_of(out.gradient), floats_of(expected.gradient),
                        std::is_same_v<T, float> ? tolerance : test::Tolerance::bf16);
  }
}

}  // namespace

TEST_CASE("elementwise loss: every loss, every combination of its parameters, float") { check_all_losses<float>(); }
TEST_CASE("elementwise loss: every loss, every combination of its parameters, bf16") { check_all_losses<bf16>(); }

TEST_CASE(
    "elementwise loss: sizes, shifted addresses and several pieces, and the same bits for any number of threads") {
  const Device device = GENERATE(from_range(test::devices()));
  for (const std::size_t n : {0, 1, 31, 32, 127, 128, 129, 1023, 1024, 1025, 40000}) {
    INFO(n << " logits");
    const std::vector<float> logits = some_logits<float>(n), targets = some_targets(n, loss_named("focal"));
    const Outputs<float> expected = plain_outputs(logits, targets, loss_named("focal"));
    const Outputs<float> first = outputs_of(device, logits, targets, loss_named("focal"), 1);
    test::require_close(first.losses, expected.losses, 1e-5);
    test::require_close(first.sum, expected.sum, 1e-5);
    test::require_close(first.gradient, expected.gradient, 1e-5);
    test::with_thread_counts([&] {
      const Outputs<float> again = outputs_of(device, logits, targets, loss_named("focal"));
      REQUIRE(again.sum == first.sum);
      REQUIRE(again.losses == first.losses);
      REQUIRE(again.gradient == first.gradient);
    });
  }
}

TEST_CASE("elementwise loss: outputs that are not wanted are left out") {
  const Device device = GENERATE(from_range(test::devices()));
  const std::vector<float> logits = some_logits<float>(1500), targets = some_targets(1500, loss_named("focal"));
  const Outputs<float> all = outputs_of(device, logits, targets, loss_named("focal"));
  std::vector<float> losses(1500, NAN), sum{NAN}, gradient(1500, NAN);
  const auto call = [&](bool with_losses, bool with_sum, bool with_gradient) {
    test::DeviceArrays at(device);
    DIOPTER_DISPATCH(device, elementwise_loss,
                     ElementwiseLossArgs<float>{1500, at(logits), at(targets), 0.5f, with_losses ? at(losses) : nullptr,
                                                with_sum ? at(sum) : nullptr, with_gradient ? at(gradient) : nullptr},
                     loss_named("focal"));
    at.download();
  };
  call(true, false, false);
  CHECK(losses == all.losses);
  call(false, true, false);
  CHECK(sum == all.sum);
  call(false, false, true);
  CHECK(gradient == all.gradient);
}

TEST_CASE("elementwise loss: a target that the loss does not have is named") {
  std::vector<float> logits(20000, 0.5f), targets(20000, 0.0f);
  targets[17000] = 0.25f;
  CHECK_NOTHROW(outputs_of(Device::cpu, logits, targets, loss_named("varifocal")));
  CHECK_THROWS_WITH(outputs_of(Device::cpu, logits, targets, loss_named("focal")),
                    "targets: element 17000 is 0.25, must be 0 or 1: this loss has no soft targets");
  for (const float wrong : {-0.5f, 1.5f, NAN}) {
    targets[17000] = wrong;
    CHECK_THROWS_AS(outputs_of(Device::cpu, logits, targets, loss_named("varifocal")), Error);
    CHECK_THROWS_AS(outputs_of(Device::cpu, logits, targets, loss_named("focal")), Error);
  }
}

}  // namespace diopter
