// Box regression losses, the shortest way: values only. The fast version with gradients:
// kernels/detection/box_loss.{h,cpp,cu}; its tests compare gradients with differences of this.
//
//   smooth_l1  |d| < beta ? d^2 / (2 beta) : |d| - beta / 2,  d = predicted - target;  l1: |d|
//   giou  1 - IoU + (C - U) / C      diou  1 - IoU + rho^2 / c^2      ciou  diou + a v,  v from the aspect ratios
#pragma once

#include <algorithm>
#include <cmath>

#include "kernels/detection/box_loss.h"

namespace diopter::plain {

/// Loss of one anchor. ciou's a, which its gradient takes as a constant, is `aspect_weight`, or v / (1 - IoU + v) where
/// that is negative; the one used is left there.
inline double box_loss_value(BoxLoss kind, double beta, const BoxCoder& coder, const BoxT<double>& anchor,
                             const BoxT<double>& target, const double deltas[4], double& aspect_weight) {
  if (kind == BoxLoss::l1 || kind == BoxLoss::smooth_l1) {
    if (kind == BoxLoss::l1) beta = 0;
    double wanted[4], sum = 0;
    encode_box(coder, anchor, target, wanted);
    for (int i = 0; i < 4; ++i) {
      const double d = std::fabs(deltas[i] - wanted[i]);
      sum += d < beta ? d * d / (2 * beta) : d - beta / 2;
    }
    return sum;
  }
  const BoxT<double> p = decode_box(coder, anchor, deltas), &t = target;
  const double iw = std::max(0.0, std::min(p.x2, t.x2) - std::max(p.x1, t.x1));  // intersection
  const double ih = std::max(0.0, std::min(p.y2, t.y2) - std::max(p.y1, t.y1));
  const double cw = std::max(p.x2, t.x2) - std::min(p.x1, t.x1), ch = std::max(p.y2, t.y2) - std::min(p.y1, t.y1);
  const double pw = p.x2 - p.x1, ph = p.y2 - p.y1, tw = t.x2 - t.x1, th = t.y2 - t.y1;
  const double united = pw * ph + tw * th - iw * ih, iou = iw * ih / (united + kIouEpsilon);
  if (kind == BoxLoss::giou) return 1 - iou + (cw * ch - united) / (cw * ch + kIouEpsilon);
  const double rx = (p.x1 + p.x2 - t.x1 - t.x2) / 2, ry = (p.y1 + p.y2 - t.y1 - t.y2) / 2;
  const double diou = 1 - iou + (rx * rx + ry * ry) / (cw * cw + ch * ch + kIouEpsilon);
  if (kind == BoxLoss::diou) return diou;
  const double pi = 3.141592653589793;
  const double v = 4 / (pi * pi) * std::pow(std::atan(tw / th) - std::atan(pw / ph), 2);
  if (aspect_weight < 0) aspect_weight = v / (1 - iou + v + kIouEpsilon);
  return diou + aspect_weight * v;
}

inline float iou_of(const BoxT<double>& a, const BoxT<double>& b) {
  const double w = std::max(0.0, std::min(a.x2, b.x2) - std::max(a.x1, b.x1));
  const double h = std::max(0.0, std::min(a.y2, b.y2) - std::max(a.y1, b.y1));
  const double united = (a.x2 - a.x1) * (a.y2 - a.y1) + (b.x2 - b.x1) * (b.y2 - b.y1) - w * h;
  return static_cast<float>(w * h > 0 ? w * h / united : 0);
}

/// losses [images]: sum over the positive anchors of an image. Writes args.ious, too, unless it is null.
template <class T>
void box_loss(const BoxLossArgs<T>& args, double* losses) {
  const auto in_double = [](const Box& b) { return BoxT<double>{b.x1, b.y1, b.x2, b.y2}; };
  const HeadLevels<T>& heads = args.deltas;
  std::int64_t anchor = 0;  // of the whole batch
  for (int image = 0; image < heads.images; ++image) {
    losses[image] = 0;
    for (int l = 0; l < heads.count; ++l) {
      const HeadLevel<T>& level = heads.level[l];
      for (std::int64_t i = 0; i < level.pixels * heads.cells; ++i, ++anchor) {
        if (args.labels[anchor] < 0) continue;
        const T* x = level.values + heads.offset(l, image, i);
        const double deltas[4] = {float(x[0]), float(x[1]), float(x[2]), float(x[3])};
        const Box target = box_at(args.truth.boxes, args.truth.offsets[image] + args.matches[anchor]);
        double aspect_weight = -1;
        const BoxT<double> box = in_double(args.grid.box(l, i));
        losses[image] +=
            box_loss_value(args.kind, args.beta, args.coder, box, in_double(target), deltas, aspect_weight);
        if (args.ious) args.ious[anchor] = iou_of(decode_box(args.coder, box, deltas), in_double(target));
      }
    }
  }
}

}  // namespace diopter::plain
