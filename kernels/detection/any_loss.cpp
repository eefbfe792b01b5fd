#include "kernels/detection/any_loss.h"

#include <algorithm>

namespace diopter {

std::size_t AnyLoss::index() const {
  const std::span<const LossEntry* const> all = loss_entries();
  return static_cast<std::size_t>(std::find(all.begin(), all.end(), entry_) - all.begin());
}

std::vector<AnyLoss> all_losses() {
  std::vector<AnyLoss> losses;
  for (const LossEntry* entry : loss_entries()) losses.emplace_back(*entry);
  return losses;
}

const LossEntry* find_loss(std::string_view name) {
  const std::span<const LossEntry* const> all = loss_entries();
  const auto found = std::find_if(all.begin(), all.end(), [&](const LossEntry* entry) { return name == entry->name; });
  return found == all.end() ? nullptr : *found;
}

AnyLoss loss_named(std::string_view name, std::initializer_list<float> values) {
  const LossEntry* entry = find_loss(name);
  DIOPTER_CHECK(entry, "no loss has the name ", name);
  DIOPTER_CHECK(values.size() <= entry->parameters.size(), "the loss ", name, " has ", entry->parameters.size(),
                " parameters, not ", values.size());
  AnyLoss loss(*entry);
  std::size_t which = 0;
  for (const float value : values) entry->parameter(loss.address(), which++) = value;
  return loss;
}

int density_bins(const AnyLoss& loss) {
  const std::optional<GradientDensityRule> rule = gradient_density_rule(loss);
  DIOPTER_CHECK(rule, "the loss ", loss_name(loss), " does not weigh by the density of gradients");
  return rule->bins;
}

}  // namespace diopter
