// Weights of logits by the density of their gradients (Li et al. 2019, GHM-C). gradient_histogram counts the logits of
// the batch in bins of |dL/dx|; of the bins with count > 0, n of them,
//
//   average = m average + (1 - m) count,    weight = 1 / (n average)
//
// and weight 0 and the average as it was elsewhere. The sum of weighted losses is the loss of the batch: it needs no
// other normaliser.
//
// Start here: kernels/plain/gradient_density.h
#pragma once

#include <cstdint>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"
#include "kernels/detection/head.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

template <class T>
struct GradientHistogramArgs {
  HeadLevels<T> logits;        // channels = classes; gradient is not used; below 2^31 logits in all
  const std::int32_t* labels;  // [images, logits.anchors()]: class, kBackground or kIgnore
  std::int32_t* counts;        // [bins of the loss's rule], overwritten: logits of anchors that are not ignored
};

struct DensityWeightsArgs {
  GradientDensityRule rule;
  const std::int32_t* counts;  // [rule.bins]
  float* averages;             // [rule.bins], updated; 0 before the first step
  float* weights;              // [rule.bins], overwritten
};

DIOPTER_HD inline void compute_density_weights(const DensityWeightsArgs& args) {
  int found = 0;
  for (int b = 0; b < args.rule.bins; ++b) found += args.counts[b] > 0;
  const double m = static_cast<double>(args.rule.momentum);
  for (int b = 0; b < args.rule.bins; ++b) {
    args.weights[b] = 0;
    if (args.counts[b] == 0) continue;
    args.averages[b] = static_cast<float>(m * static_cast<double>(args.averages[b]) + (1 - m) * args.counts[b]);
    args.weights[b] = static_cast<float>(1 / (found * static_cast<double>(args.averages[b])));
  }
}

}  // namespace diopter

DIOPTER_KERNEL(  /// Throws Error for a loss that does not weigh by density.
    template <class T> void gradient_histogram(const GradientHistogramArgs<T>& args, const AnyLoss& loss);
    void density_weights(const DensityWeightsArgs& args))

namespace diopter::least_work {

/// Logits and labels are read.
template <class T>
LeastWork gradient_histogram(const GradientHistogramArgs<T>& args, const AnyLoss&) {
  const std::int64_t anchors = args.logits.images * args.logits.anchors();
  return {.bytes = passes<T>(1, anchors * args.logits.channels).bytes + passes<std::int32_t>(1, anchors).bytes};
}
inline LeastWork density_weights(const DensityWeightsArgs& args) { return passes<float>(4, args.rule.bins); }

}  // namespace diopter::least_work
