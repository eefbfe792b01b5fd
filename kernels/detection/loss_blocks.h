// The loops over a block of logits on the CPU, which are compiled for each loss: negative logits, nearly all the work
// of the classification loss, and logits with a target each.
#pragma once

#include <memory>

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

/// For one instantiation per loss.
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
