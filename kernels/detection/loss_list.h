// The types of all classification losses. CMake writes the list from losses/*.h and the folder DIOPTER_EXTRA_LOSSES
// (cmake/LossList.cmake); nothing else names a loss. For what is compiled per loss, as the kernels of CUDA are;
// any_loss.h does for the rest.
#pragma once

#include "generated/loss_list.h"
#include "kernels/detection/any_loss.h"

namespace diopter {

namespace detail {
template <class F, class... Losses>
void visit_loss(const AnyLoss& any_loss, const F& f, LossTypes<Losses...>) {
  const auto visit_if = [&]<class Loss>(LossTypes<Loss>) {
    if (!any_loss.is<Loss>()) return false;
    f(any_loss.get<Loss>());
    return true;
  };
  const bool found = (visit_if(LossTypes<Losses>{}) || ...);
  DIOPTER_CHECK(found, "the loss ", loss_name(any_loss), " is not in this list");
}
}  // namespace detail

/// Calls f(loss) with the loss itself, of its own type.
template <class F>
void visit_loss(const AnyLoss& any_loss, const F& f) {
  detail::visit_loss(any_loss, f, AllLossTypes{});
}

/// Calls f(fast version, bins) of a loss that weighs by the density of gradients. Throws Error for another.
template <class F>
void with_density_bins(const AnyLoss& any_loss, const F& f) {
  const int bins = density_bins(any_loss);
  visit_loss(any_loss, [&](const auto& loss) {
    if constexpr (WeighsByDensity<std::remove_cvref_t<decltype(loss)>>) {
      with_fast_version(loss, [&](const auto& fast) { f(fast, bins); });
    }
  });
}

}  // namespace diopter
