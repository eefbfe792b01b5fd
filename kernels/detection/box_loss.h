// Box regression loss over the positive anchors of a batch, value and gradient in one pass.
//
//   l1         sum over the 4 deltas of |d|,  d = predicted - target
//   smooth_l1  |d| < beta ? d^2 / (2 beta) : |d| - beta / 2           (Girshick 2015; beta = 0 is l1)
//   giou       1 - IoU + (C - U) / C                                  (Rezatofighi et al. 2019)
//   diou       1 - IoU + rho^2 / c^2                                  (Zheng et al. 2020)
//   ciou       diou + a v,  v = 4 / pi^2 (atan(wt / ht) - atan(w / h))^2,  a = v / (1 - IoU + v) taken as constant
//   U: union, C: area of the smallest enclosing box, c: its diagonal, rho: distance of the centres; denominators
//   get kIouEpsilon as in torchvision. The IoU family compares decoded boxes; its gradient goes through decode_box.
//
//   losses[image] = sum over anchors with label >= 0 (not scaled);  gradient = scale[image] * dloss/ddeltas, 0 elsewhere
#pragma once

#include "kernels/detection/head_levels.h"
#include "kernels/detection/match.h"

namespace diopter {

enum class BoxLoss { l1, smooth_l1, giou, diou, ciou };

inline constexpr double kIouEpsilon = 1e-7;

/// Loss of one anchor: predicted deltas against the box `target`; writes the derivative with respect to the deltas.
template <class T>
DIOPTER_HD T box_loss_value(BoxLoss kind, T beta, const BoxCoder& coder, const BoxT<T>& anchor, const BoxT<T>& target,
                            const T deltas[4], T derivative[4]);

template <class T>
struct BoxLossArgs {
  BoxLoss kind = BoxLoss::l1;
  float beta = 0;
  BoxCoder coder = {};
  AnchorGrid grid;
  GroundTruth truth;
  HeadLevels<T> deltas;         // channels = 4; gradient may be null everywhere: values only
  const std::int32_t* labels;   // [images, anchors] from match_anchors
  const std::int32_t* matches;  // [images, anchors]
  const float* scale;           // [images], in device memory; not read without gradients
  float* losses;                // [images], overwritten
};

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void box_loss(const BoxLossArgs<T>& args))
