// All classification losses as one type. CMake writes the list, AnyLoss and kLossNames, from losses/*.h and the folder
// DIOPTER_EXTRA_LOSSES (cmake/LossList.cmake); nothing else names a loss.
#pragma once

#include <optional>
#include <type_traits>
#include <vector>

#include "generated/loss_list.h"
#include "kernels/base/check.h"

namespace diopter {

namespace detail {
template <class... Losses>
std::vector<AnyLoss> defaults_of(const std::variant<Losses...>*) {
  return {Losses{}...};
}
}  // namespace detail

/// Every loss with its default parameters.
inline std::vector<AnyLoss> all_losses() { return detail::defaults_of(static_cast<const AnyLoss*>(nullptr)); }

/// Its name on the command line: the name of its file.
inline const char* loss_name(const AnyLoss& loss) { return kLossNames[loss.index()]; }

inline const char* loss_source(const AnyLoss& loss) {
  return std::visit([](const auto& l) { return std::remove_cvref_t<decltype(l)>::source; }, loss);
}

/// The anchors that a loss is computed on; nothing for all of them.
inline std::optional<HardExampleRule> hard_example_rule(const AnyLoss& loss) {
  return std::visit(
      [](const auto& l) -> std::optional<HardExampleRule> {
        if constexpr (requires { l.hard_examples(); }) return l.hard_examples();
        return std::nullopt;
      },
      loss);
}

/// How its logits weigh by the density of their gradients; nothing for 1 each.
inline std::optional<GradientDensityRule> gradient_density_rule(const AnyLoss& loss) {
  return std::visit(
      [](const auto& l) -> std::optional<GradientDensityRule> {
        if constexpr (WeighsByDensity<std::remove_cvref_t<decltype(l)>>) return l.gradient_density();
        return std::nullopt;
      },
      loss);
}

/// Calls f(fast version, bins) of a loss that weighs by the density of gradients. Throws Error for another.
template <class F>
void with_density_bins(const AnyLoss& loss, const F& f) {
  std::visit(
      [&](const auto& l) {
        if constexpr (WeighsByDensity<std::remove_cvref_t<decltype(l)>>) {
          with_fast_version(l, [&](const auto& fast) { f(fast, l.gradient_density().bins); });
        } else {
          fail("the loss ", loss_name(loss), " does not weigh by the density of gradients");
        }
      },
      loss);
}

/// Whether its positives have soft targets.
inline bool has_soft_targets(const AnyLoss& loss) {
  return std::visit([](const auto& l) { return SoftTargets<std::remove_cvref_t<decltype(l)>>; }, loss);
}

/// Calls f(parameter, value) for each parameter: a LossParameter, and a reference to its value in `loss`, which is an
/// AnyLoss or one of its alternatives, constant or not.
template <class Loss, class F>
void for_each_parameter(Loss& loss, const F& f) {
  if constexpr (std::is_same_v<std::remove_const_t<Loss>, AnyLoss>) {
    std::visit([&](auto& l) { for_each_parameter(l, f); }, loss);
  } else if constexpr (requires { Loss::parameters; }) {
    for (const auto& p : Loss::parameters) f(p, loss.*p.member);
  }
}

/// Loss of one logit and its derivative with respect to the logit, in double.
inline ValueAndDerivative<double> loss_at(const AnyLoss& loss, double x, bool positive) {
  return std::visit([&](const auto& l) { return l(x, positive); }, loss);
}

/// The same of a positive logit with a target in [0, 1].
inline ValueAndDerivative<double> positive_loss_at(const AnyLoss& loss, double x, double quality) {
  return std::visit([&](const auto& l) { return positive_loss(l, x, quality); }, loss);
}

}  // namespace diopter
