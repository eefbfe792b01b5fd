// A classification loss of the build's list as a value: its parameters, and what is known of it by name. Nothing here
// depends on the formulas: a change of losses/NAME.h compiles what is made from it and not what only passes losses on.
// loss_list.h has the types.
#pragma once

#include <cstddef>
#include <cstring>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

namespace cpu {
struct LossFunctions;
}

/// A LossParameter without its member.
struct ParameterFacts {
  const char* name;
  float lowest, highest;  // both allowed
  const char* meaning;
  bool whole;  // whole numbers only
};

/// A loss without its type. Functions take the address of a loss of this type. Each is written by loss_entry.h, in a
/// source of its own (cmake/LossList.cmake).
struct LossEntry {
  const char* name;    // that of its file, on the command line, too
  const char* source;  // where the formula comes from
  std::span<const ParameterFacts> parameters;
  bool soft_targets;                                   // of its positives
  void (*set_defaults)(void* loss);                    // makes a loss there
  float& (*parameter)(void* loss, std::size_t which);  // its value
  ValueAndDerivative<double> (*at)(const void* loss, double x, bool positive);
  ValueAndDerivative<double> (*at_target)(const void* loss, double x, double target);
  std::optional<HardExampleRule> (*hard_examples)(const void* loss);
  std::optional<GradientDensityRule> (*gradient_density)(const void* loss);
  std::optional<ClassFocusingRule> (*class_focusing)(const void* loss);
  void (*set_class)(void* loss, float more);  // the exponent of a class; nothing for a loss that has none
  cpu::LossFunctions (*functions)(const void* loss, const float* density_weights);
};

/// The entry of a type: defined where its source is compiled.
template <class Loss>
const LossEntry& loss_entry();

/// Those of all losses, in the order of the folders and names of their headers.
std::span<const LossEntry* const> loss_entries();

struct AnyLoss {
  /// The first of the list.
  AnyLoss() : AnyLoss(*loss_entries().front()) {}
  /// With its default parameters.
  explicit AnyLoss(const LossEntry& entry) : entry_(&entry) { entry.set_defaults(bytes_); }
  template <class Loss>
  requires(std::is_class_v<Loss>&& requires { Loss::source; }) AnyLoss(const Loss& loss) : entry_(&loss_entry<Loss>()) {
    static_assert(sizeof(Loss) <= kMostBytes && alignof(Loss) <= alignof(AnyLoss), "a loss of more than 64 bytes");
    std::memcpy(bytes_, &loss, sizeof(Loss));
  }

  const LossEntry& entry() const { return *entry_; }
  /// Place in the list.
  std::size_t index() const;
  template <class Loss>
  bool is() const {
    return entry_ == &loss_entry<Loss>();
  }
  /// The loss itself. Throws Error when it is another.
  template <class Loss>
  Loss get() const {
    DIOPTER_CHECK(is<Loss>(), "the loss is ", entry_->name, ", not ", loss_entry<Loss>().name);
    Loss loss;
    std::memcpy(static_cast<void*>(&loss), bytes_, sizeof(Loss));
    return loss;
  }
  const void* address() const { return bytes_; }
  void* address() { return bytes_; }

 private:
  static constexpr std::size_t kMostBytes = 64;

  const LossEntry* entry_;
  alignas(std::max_align_t) std::byte bytes_[kMostBytes] = {};
};

/// Every loss with its default parameters.
std::vector<AnyLoss> all_losses();

/// The entry of this name; null for none.
const LossEntry* find_loss(std::string_view name);

/// The loss of this name, its first parameters with these values, the others with their defaults. Throws Error for an
/// unknown name and for more values than there are parameters.
AnyLoss loss_named(std::string_view name, std::initializer_list<float> values = {});

inline const char* loss_name(const AnyLoss& loss) { return loss.entry().name; }
inline const char* loss_source(const AnyLoss& loss) { return loss.entry().source; }

/// The anchors that a loss is computed on; nothing for all of them.
inline std::optional<HardExampleRule> hard_example_rule(const AnyLoss& loss) {
  return loss.entry().hard_examples(loss.address());
}

/// How its logits weigh by the density of their gradients; nothing for 1 each.
inline std::optional<GradientDensityRule> gradient_density_rule(const AnyLoss& loss) {
  return loss.entry().gradient_density(loss.address());
}

/// How far the exponents of its classes may differ; nothing for one exponent.
inline std::optional<ClassFocusingRule> class_focusing_rule(const AnyLoss& loss) {
  return loss.entry().class_focusing(loss.address());
}

/// Whether its logits depend on what steps before were like.
inline bool remembers_steps(const AnyLoss& loss) { return gradient_density_rule(loss) || class_focusing_rule(loss); }

/// The loss of a class whose exponent is larger by `more`; the loss itself where classes do not differ.
inline AnyLoss loss_of_class(AnyLoss loss, float more) {
  loss.entry().set_class(loss.address(), more);
  return loss;
}

/// The bins of a loss that weighs by the density of gradients. Throws Error for another.
int density_bins(const AnyLoss& loss);

/// Whether its positives have soft targets.
inline bool has_soft_targets(const AnyLoss& loss) { return loss.entry().soft_targets; }

/// Calls f(facts, value) for each parameter: ParameterFacts, and a reference to its value in `loss`.
template <class F>
void for_each_parameter(AnyLoss& loss, const F& f) {
  std::size_t which = 0;
  for (const ParameterFacts& facts : loss.entry().parameters) f(facts, loss.entry().parameter(loss.address(), which++));
}
template <class F>
void for_each_parameter(const AnyLoss& loss, const F& f) {
  AnyLoss copy = loss;
  for_each_parameter(copy, [&](const ParameterFacts& facts, const float& value) { f(facts, value); });
}

/// Loss of one logit and its derivative with respect to the logit, in double.
inline ValueAndDerivative<double> loss_at(const AnyLoss& loss, double x, bool positive) {
  return loss.entry().at(loss.address(), x, positive);
}

/// The same of a logit with this target in [0, 1]; hard targets are 0 and 1, and above 1/2 counts as 1.
inline ValueAndDerivative<double> loss_at_target(const AnyLoss& loss, double x, double target) {
  return loss.entry().at_target(loss.address(), x, target);
}

/// The same of a positive logit with a target in [0, 1], which hard targets ignore.
inline ValueAndDerivative<double> positive_loss_at(const AnyLoss& loss, double x, double quality) {
  return has_soft_targets(loss) ? loss_at_target(loss, x, quality) : loss_at(loss, x, true);
}

}  // namespace diopter
