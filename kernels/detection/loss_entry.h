// What is compiled for each loss on the CPU, in a source of its own, which CMake writes (cmake/LossList.cmake): the
// loops over a block of logits, of negative ones, nearly all the work of the classification loss, and of those with a
// target each; and its entry in the list.
#pragma once

#include <array>
#include <memory>
#include <new>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/loss_functions.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

/// n negative logits.
template <class Loss>
void negative_block(const Loss& loss, const float* x, int n, LossBlock& block) {
  with_widest_vectors([=, &block] {
    float* __restrict values = block.values, * __restrict derivatives = block.derivatives;
    for (int i = 0; i < n; ++i) {
      const ValueAndDerivative<float> l = loss(x[i], false);
      values[i] = l.value;
      derivatives[i] = l.derivative;
    }
  });
}

/// n logits with a target each.
template <class Loss>
void element_block(const Loss& loss, const float* x, const float* targets, int n, LossBlock& block) {
  with_widest_vectors([=, &block] {
    float* __restrict values = block.values, * __restrict derivatives = block.derivatives;
    for (int i = 0; i < n; ++i) {
      const ValueAndDerivative<float> l = loss_at_target(loss, x[i], targets[i]);
      values[i] = l.value;
      derivatives[i] = l.derivative;
    }
  });
}

template <class Loss>
LossFunctions functions_of(const Loss& loss, const float* density_weights) {
  LossFunctions functions;
  with_kernel_version(loss, density_weights, [&]<class Fast>(const Fast& fast) {
    functions.loss = std::make_shared<Fast>(fast);
    functions.negatives_of = [](const void* erased, const float* x, int n, LossBlock& block) {
      negative_block(*static_cast<const Fast*>(erased), x, n, block);
    };
    functions.elements_of = [](const void* erased, const float* x, const float* targets, int n, LossBlock& block) {
      element_block(*static_cast<const Fast*>(erased), x, targets, n, block);
    };
    functions.positive_of = [](const void* erased, float x, float quality) {
      return positive_loss(*static_cast<const Fast*>(erased), x, quality);
    };
  });
  return functions;
}

}  // namespace diopter::cpu

namespace diopter {

namespace detail {

template <class Loss>
constexpr auto facts_of_parameters() {
  if constexpr (requires { Loss::parameters; }) {
    std::array<ParameterFacts, std::size(Loss::parameters)> facts{};
    for (std::size_t i = 0; i < facts.size(); ++i) {
      const auto& p = Loss::parameters[i];
      facts[i] = {p.name, p.lowest, p.highest, p.meaning, p.whole};
    }
    return facts;
  } else {
    return std::array<ParameterFacts, 0>{};
  }
}

template <class Loss>
constexpr auto kFacts = facts_of_parameters<Loss>();

/// The functions of the entry.
template <class Loss>
struct Erased {
  static const Loss& of(const void* loss) { return *static_cast<const Loss*>(loss); }

  static void set_defaults(void* loss) { new (loss) Loss{}; }
  static float& parameter(void* loss, std::size_t which) {
    if constexpr (requires { Loss::parameters; }) return static_cast<Loss*>(loss)->*Loss::parameters[which].member;
    fail("parameter ", which, " of a loss that has none");
  }
  static ValueAndDerivative<double> at(const void* loss, double x, bool positive) { return of(loss)(x, positive); }
  static ValueAndDerivative<double> at_target(const void* loss, double x, double target) {
    return loss_at_target(of(loss), x, target);
  }
  static std::optional<HardExampleRule> hard_examples(const void* loss) {
    if constexpr (requires { of(loss).hard_examples(); }) return of(loss).hard_examples();
    return std::nullopt;
  }
  static std::optional<GradientDensityRule> gradient_density(const void* loss) {
    if constexpr (WeighsByDensity<Loss>) return of(loss).gradient_density();
    return std::nullopt;
  }
  static std::optional<ClassFocusingRule> class_focusing(const void* loss) {
    if constexpr (FocusesByClass<Loss>) return of(loss).class_focusing();
    return std::nullopt;
  }
  static void set_class([[maybe_unused]] void* loss, [[maybe_unused]] float more) {
    if constexpr (FocusesByClass<Loss>) new (loss) Loss(of(loss).of_class(more));
  }
  static cpu::LossFunctions functions(const void* loss, const float* density_weights) {
    return cpu::functions_of(of(loss), density_weights);
  }
};

}  // namespace detail

/// The name of a loss, which CMake knows.
template <class Loss>
constexpr const char* kLossName = nullptr;

/// For one instantiation per loss.
template <class Loss>
const LossEntry& loss_entry() {
  using Erased = detail::Erased<Loss>;
  static constexpr LossEntry entry{.name = kLossName<Loss>,
                                   .source = Loss::source,
                                   .parameters = detail::kFacts<Loss>,
                                   .soft_targets = SoftTargets<Loss>,
                                   .set_defaults = Erased::set_defaults,
                                   .parameter = Erased::parameter,
                                   .at = Erased::at,
                                   .at_target = Erased::at_target,
                                   .hard_examples = Erased::hard_examples,
                                   .gradient_density = Erased::gradient_density,
                                   .class_focusing = Erased::class_focusing,
                                   .set_class = Erased::set_class,
                                   .functions = Erased::functions};
  return entry;
}

}  // namespace diopter
