// Exponents of classes by the gradients that they had (Li et al. 2022, equalized focal loss). class_gradients sums what
// a step's gradients are, class by class; sums over all steps so far give the exponents of the next one:
//
//   sums = positives of class k: sum of |gradient| where k == label;  negatives: elsewhere
//   g = min(1, positives / negatives), 1 without negatives;   more[k] = most (1 - g)
//
// Start here: kernels/plain/class_focusing.h
#pragma once

#include <cstdint>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/detection/box.h"
#include "kernels/detection/head.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

template <class T>
struct ClassGradientsArgs {
  HeadLevels<T> gradients;     // `gradient` of each level, channels = classes: read; values are not used
  const std::int32_t* labels;  // [images, gradients.anchors()]: class, kBackground or kIgnore, whose gradients are 0
  float* sums;                 // [2, classes], overwritten: of positives, of negatives
};

struct ClassFocusingArgs {
  ClassFocusingRule rule;
  int classes;
  const float* sums;  // [2, classes]: over all steps
  float* more;        // [classes], overwritten
};

DIOPTER_HD inline float focusing_of_class(const ClassFocusingArgs& args, int k) {
  const float positives = args.sums[k], negatives = args.sums[args.classes + k];
  return positives < negatives ? args.rule.most * (1 - positives / negatives) : 0.0f;
}

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void class_gradients(const ClassGradientsArgs<T>& args);
               void class_focusing(const ClassFocusingArgs& args))

namespace diopter::least_work {

/// Gradients and labels are read.
template <class T>
LeastWork class_gradients(const ClassGradientsArgs<T>& args) {
  const std::int64_t anchors = args.gradients.images * args.gradients.anchors();
  return {.bytes = passes<T>(1, anchors * args.gradients.channels).bytes + passes<std::int32_t>(1, anchors).bytes};
}
inline LeastWork class_focusing(const ClassFocusingArgs& args) { return passes<float>(3, args.classes); }

}  // namespace diopter::least_work
