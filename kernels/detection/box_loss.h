// Box regression loss over the positive anchors of a batch, value and gradient in one pass.
//
//   l1         sum over the 4 deltas of |d|,  d = predicted - target
//   smooth_l1  |d| < beta ? d^2 / (2 beta) : |d| - beta / 2           (Girshick 2015; beta = 0 is l1)
//   giou       1 - IoU + (C - U) / C                                  (Rezatofighi et al. 2019)
//   diou       1 - IoU + rho^2 / c^2                                  (Zheng et al. 2020)
//   ciou       diou + a v,  v = 4 / pi^2 (atan(wt / ht) - atan(w / h))^2,  a = v / (1 - IoU + v), taken as constant
//   U: union, C: area of the smallest enclosing box, c: its diagonal, rho: distance of the centres; denominators
//   get kIouEpsilon as in torchvision. The IoU family compares decoded boxes; its gradient goes through decode_box.
//
//   losses[image] = sum over anchors with label >= 0 (not scaled)
//   gradient      = scale[image] * dloss/ddeltas; 0 for all other anchors
//   ious          = IoU of the decoded box with its target, where label >= 0: soft targets of classification losses
//
// Start here: kernels/plain/box_loss.h
#pragma once

#include "kernels/base/least_work.h"
#include "kernels/detection/head.h"
#include "kernels/detection/match.h"

namespace diopter {

enum class BoxLoss { l1, smooth_l1, giou, diou, ciou };

inline constexpr double kIouEpsilon = 1e-7;

/// A predicted and a target interval [low, high] on one axis: overlap and hull, with their derivatives with respect to
/// the centre and the size of the predicted one. Where ends coincide, half of the one-sided derivative is taken (as
/// automatic differentiation of min and max does), which makes a perfect prediction stationary.
template <class T>
struct IntervalPair {
  T size, offset;  // of the predicted one; distance of its centre from the target's
  T overlap, overlap_centre, overlap_size;
  T hull, hull_centre, hull_size;

  DIOPTER_HD IntervalPair(T low, T high, T target_low, T target_high)
      : size(high - low), offset(T(0.5) * (low + high) - T(0.5) * (target_low + target_high)) {
    const T low_inside = above(low, target_low), high_inside = above(target_high, high);
    overlap = (high < target_high ? high : target_high) - (low > target_low ? low : target_low);
    overlap_centre = high_inside - low_inside;
    overlap_size = T(0.5) * (high_inside + low_inside);
    hull = (high > target_high ? high : target_high) - (low < target_low ? low : target_low);
    hull_centre = low_inside - high_inside;
    hull_size = T(1) - overlap_size;
  }

 private:
  DIOPTER_HD static T above(T a, T b) { return a > b ? T(1) : a == b ? T(0.5) : T(0); }
};

/// l1 and smooth_l1: deltas against those of the target.
template <class T>
DIOPTER_HD T delta_loss_value(T beta, const BoxCoder& coder, const BoxT<T>& anchor, const BoxT<T>& target,
                              const T deltas[4], T derivative[4]) {
  T wanted[4], loss = 0;
  encode_box(coder, anchor, target, wanted);
  for (int i = 0; i < 4; ++i) {
    const T d = deltas[i] - wanted[i], size = d < 0 ? -d : d;
    const bool quadratic = size < beta;
    loss += quadratic ? T(0.5) * d * d / beta : size - T(0.5) * beta;
    derivative[i] = quadratic ? d / beta : d > 0 ? T(1) : d < 0 ? T(-1) : T(0);
  }
  return loss;
}

/// giou, diou and ciou of two boxes. ratio: width over height of `box`, which only ciou reads.
/// Calls write(axis, centre, size, angle) for x and y with the derivatives with respect to centre and size of `box`
/// along it and, for ciou, further with respect to the angle atan(ratio), 0 for the others.
template <class T, class Write>
DIOPTER_HD T iou_loss(BoxLoss kind, const BoxT<T>& box, const BoxT<T>& target, T ratio, T epsilon, const Write& write) {
  const IntervalPair<T> axis[2] = {{box.x1, box.x2, target.x1, target.x2}, {box.y1, box.y2, target.y1, target.y2}};
  const T target_w = target.x2 - target.x1, target_h = target.y2 - target.y1;
  const bool meet = axis[0].overlap > 0 && axis[1].overlap > 0;
  const T intersection = meet ? axis[0].overlap * axis[1].overlap : T(0);
  const T united = axis[0].size * axis[1].size + target_w * target_h - intersection;
  const T iou = intersection / (united + epsilon);
  const T enclosing = axis[0].hull * axis[1].hull;
  const T diagonal = axis[0].hull * axis[0].hull + axis[1].hull * axis[1].hull + epsilon;
  const T distance = axis[0].offset * axis[0].offset + axis[1].offset * axis[1].offset;
  const bool giou = kind == BoxLoss::giou;
  T loss = T(1) - iou + (giou ? (enclosing - united) / (enclosing + epsilon) : distance / diagonal);

  T d_angle = T(0);
  if (kind == BoxLoss::ciou) {
    const T factor = T(0.405284734569351086);  // 4 / pi^2
    const T angle = std::atan(target_w / target_h) - std::atan(ratio);
    const T v = factor * angle * angle, a = v / (T(1) - iou + v + epsilon);
    loss += a * v;
    d_angle = -a * factor * T(2) * angle;
  }

  // Derivative of 1 - iou + penalty from those of overlap, size and hull along one axis.
  const auto chain = [&](const IntervalPair<T>& along, const IntervalPair<T>& across, T d_overlap, T d_size, T d_hull,
                         T d_offset) {
    const T d_intersection = meet ? d_overlap * across.overlap : T(0);
    const T d_united = d_size * across.size - d_intersection;
    const T d_iou = (d_intersection - iou * d_united) / (united + epsilon);
    if (giou) {
      const T d_enclosing = d_hull * across.hull;
      const T penalty = (enclosing - united) / (enclosing + epsilon);
      return (d_enclosing - d_united - penalty * d_enclosing) / (enclosing + epsilon) - d_iou;
    }
    return T(2) * (along.offset * d_offset - distance / diagonal * along.hull * d_hull) / diagonal - d_iou;
  };
  for (int i = 0; i < 2; ++i) {
    const IntervalPair<T>&along = axis[i], &across = axis[1 - i];
    const T d_centre = chain(along, across, along.overlap_centre, T(0), along.hull_centre, T(1));
    const T d_size = chain(along, across, along.overlap_size, T(1), along.hull_size, T(0));
    write(i, d_centre, d_size, d_angle);
  }
  return loss;
}

/// giou, diou and ciou: the decoded box against the target.
template <class T>
DIOPTER_HD T iou_loss_value(BoxLoss kind, const BoxCoder& coder, const BoxT<T>& anchor, const BoxT<T>& target,
                            const T deltas[4], T derivative[4]) {
  const T limit = T(kMaxLogScale);
  const BoxT<T> box = decode_box(coder, anchor, deltas);
  const T size[2] = {box.x2 - box.x1, box.y2 - box.y1};
  const T anchor_size[2] = {anchor.x2 - anchor.x1, anchor.y2 - anchor.y1};
  const T centre_weight[2] = {T(coder.wx), T(coder.wy)}, size_weight[2] = {T(coder.ww), T(coder.wh)};
  const T log_scale[2] = {deltas[2] / size_weight[0], deltas[3] / size_weight[1]};
  // The ratio from the deltas: the decoded sizes may both have vanished.
  T ratio = T(1);
  if (kind == BoxLoss::ciou) {
    ratio = std::exp((log_scale[0] < limit ? log_scale[0] : limit) - (log_scale[1] < limit ? log_scale[1] : limit)) *
            anchor_size[0] / anchor_size[1];
  }
  return iou_loss(kind, box, target, ratio, T(kIouEpsilon), [&](int i, T d_centre, T d_size, T d_angle) {
    const T d_log_ratio = d_angle / (ratio + T(1) / ratio);
    derivative[i] = d_centre * anchor_size[i] / centre_weight[i];
    derivative[2 + i] =
        log_scale[i] < limit ? (d_size * size[i] + (i == 0 ? d_log_ratio : -d_log_ratio)) / size_weight[i] : T(0);
  });
}

/// giou, diou and ciou of two boxes; writes the derivative with respect to x1, y1, x2, y2 of the first, for which
/// ciou's a is a constant.
template <class T>
DIOPTER_HD T box_pair_loss_value(BoxLoss kind, const BoxT<T>& box, const BoxT<T>& target, T epsilon, T derivative[4]) {
  const T w = box.x2 - box.x1, h = box.y2 - box.y1;
  return iou_loss(kind, box, target, w / h, epsilon, [&](int i, T d_centre, T d_size, T d_angle) {
    if (kind == BoxLoss::ciou) d_size += (i == 0 ? h : -w) * d_angle / (w * w + h * h);
    derivative[i] = T(0.5) * d_centre - d_size;
    derivative[2 + i] = T(0.5) * d_centre + d_size;
  });
}

/// Loss of one anchor: predicted deltas against the box `target`; writes the derivative with respect to the deltas
/// (0 for a size beyond decode_box's clamp). anchor and target must have positive width and height.
template <class T>
DIOPTER_HD T box_loss_value(BoxLoss kind, T beta, const BoxCoder& coder, const BoxT<T>& anchor, const BoxT<T>& target,
                            const T deltas[4], T derivative[4]) {
  if (kind == BoxLoss::l1) return delta_loss_value(T(0), coder, anchor, target, deltas, derivative);
  if (kind == BoxLoss::smooth_l1) return delta_loss_value(beta, coder, anchor, target, deltas, derivative);
  return iou_loss_value(kind, coder, anchor, target, deltas, derivative);
}

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
  float* ious = nullptr;        // [images, anchors], written where label >= 0; or null
};

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void box_loss(const BoxLossArgs<T>& args))

namespace diopter::least_work {

/// Labels are read, gradients written; what the few positives read is not counted.
template <class T>
LeastWork box_loss(const BoxLossArgs<T>& args) {
  const std::int64_t anchors = args.deltas.images * args.deltas.anchors();
  const bool gradient = args.deltas.level[0].gradient;
  return {.bytes = passes<std::int32_t>(1, anchors).bytes + passes<T>(gradient ? 4 : 0, anchors).bytes};
}

}  // namespace diopter::least_work
