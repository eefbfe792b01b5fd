#include "kernels/detection/any_loss.h"

#include <string>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/ghm.h"
#include "kernels/detection/losses/hinge.h"
#include "kernels/detection/losses/ohem.h"
#include "kernels/detection/losses/poly.h"
#include "tests/kernels/detection/loss_versions.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

TEST_CASE("any loss: knows its loss, and gives it back as it was") {
  const AnyLoss loss = PolyLoss{1.5f, 0.5f, 3};
  CHECK(loss.is<PolyLoss>());
  CHECK_FALSE(loss.is<HingeLoss>());
  CHECK(loss.get<PolyLoss>().gamma == 1.5f);
  CHECK(loss.get<PolyLoss>().alpha == 0.5f);
  CHECK(loss.get<PolyLoss>().epsilon == 3);
  CHECK_THROWS_WITH(loss.get<CeLoss>(), "the loss is poly, not ce");
  CHECK(std::string(loss_name(loss)) == "poly");
  CHECK(std::string(loss_source(loss)) == PolyLoss::source);
  AnyLoss copy = loss;
  copy = CeLoss{};
  CHECK(copy.is<CeLoss>());
  CHECK(loss.is<PolyLoss>());
}

TEST_CASE("any loss: the list has the types in its order, and each has its place") {
  const std::vector<AnyLoss> losses = all_losses();
  REQUIRE(losses.size() > 10);
  CHECK(AnyLoss().index() == 0);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(losses[i].index() == i);
    // What the list of types finds is what the entry calls.
    const test::LossVersion typed = test::versions_of(losses[i]).general;
    for (const bool positive : {false, true}) {
      CHECK(typed.in_double(0.5, positive).value == loss_at(losses[i], 0.5, positive).value);
      CHECK(typed.in_double(0.5, positive).derivative == loss_at(losses[i], 0.5, positive).derivative);
    }
  }
}

TEST_CASE("any loss: parameters are read and written where the loss has them") {
  AnyLoss loss = PolyLoss{};
  std::vector<std::string> names;
  for_each_parameter(loss, [&](const ParameterFacts& facts, float& value) {
    names.emplace_back(facts.name);
    value = facts.highest;
  });
  CHECK(names == std::vector<std::string>{"gamma", "alpha", "epsilon"});
  CHECK(loss.get<PolyLoss>().gamma == 10);
  CHECK(loss.get<PolyLoss>().alpha == 1);
  int parameters = 0;
  const AnyLoss ce = CeLoss{};
  for_each_parameter(ce, [&](const ParameterFacts&, float) { ++parameters; });
  CHECK(parameters == 0);
  bool whole = false;
  const AnyLoss ohem = OhemLoss{};
  for_each_parameter(ohem, [&](const ParameterFacts& facts, float) { whole |= facts.whole; });
  CHECK(whole);
}

TEST_CASE("any loss: by name") {
  const PolyLoss poly = loss_named("poly", {1}).get<PolyLoss>();
  CHECK(poly.gamma == 1);
  CHECK(poly.alpha == PolyLoss{}.alpha);
  CHECK_THROWS_WITH(loss_named("hinge", {1, 2}), "the loss hinge has 1 parameters, not 2");
  CHECK_THROWS_WITH(loss_named("nothing"), "no loss has the name nothing");
}

TEST_CASE("any loss: rules and soft targets are those of the loss") {
  CHECK(hard_example_rule(OhemLoss{64, 0.7f, 300})->batch == 64);
  CHECK_FALSE(hard_example_rule(CeLoss{}));
  CHECK(gradient_density_rule(GhmLoss{})->bins == GhmLoss{}.gradient_density().bins);
  CHECK_FALSE(gradient_density_rule(CeLoss{}));
  CHECK(density_bins(GhmLoss{}) == GhmLoss{}.gradient_density().bins);
  CHECK_THROWS_WITH(density_bins(CeLoss{}), "the loss ce does not weigh by the density of gradients");
  CHECK(positive_loss_at(CeLoss{}, 1.0, 0.3).value == CeLoss{}(1.0, true).value);
  const AnyLoss soft = loss_named("varifocal");
  CHECK(has_soft_targets(soft));
  CHECK(positive_loss_at(soft, 1.0, 0.3).value == loss_at_target(soft, 1.0, 0.3).value);
  CHECK(positive_loss_at(soft, 1.0, 0.3).value != loss_at(soft, 1.0, true).value);
  CHECK(loss_at_target(CeLoss{}, 1.0, 0.4).value == CeLoss{}(1.0, false).value);
}

}  // namespace
}  // namespace diopter
