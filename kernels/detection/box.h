// Boxes, once for both devices: x1, y1, x2, y2 in pixels, half-open (width = x2 - x1, never + 1).
//
// Products and sums that decide an index result go through mul_rn / add_rn / sub_rn, which no compiler contracts to an
// FMA, so that both devices compute the same bits.
#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/base/host_device.h"

namespace diopter {

template <class T>
struct BoxT {
  T x1, y1, x2, y2;
  bool operator==(const BoxT&) const = default;
};
using Box = BoxT<float>;  // what kernels store; BoxT<double> serves tests of the formulas

/// Box i of an array [n, 4].
DIOPTER_HD inline Box box_at(const float* boxes, std::int64_t i) {
  const float* b = boxes + i * 4;
  return {b[0], b[1], b[2], b[3]};
}

/// Writes box i of an array [n, 4].
DIOPTER_HD inline void set_box(float* boxes, std::int64_t i, const Box& box) {
  float* b = boxes + i * 4;
  b[0] = box.x1, b[1] = box.y1, b[2] = box.x2, b[3] = box.y2;
}

/// Labels of anchors: a class >= 0 or one of these.
inline constexpr std::int32_t kBackground = -1;
inline constexpr std::int32_t kIgnore = -2;

#if defined(__CUDA_ARCH__)
DIOPTER_HD inline float mul_rn(float a, float b) { return __fmul_rn(a, b); }
DIOPTER_HD inline float add_rn(float a, float b) { return __fadd_rn(a, b); }
DIOPTER_HD inline float sub_rn(float a, float b) { return __fsub_rn(a, b); }
DIOPTER_HD inline float div_rn(float a, float b) { return __fdiv_rn(a, b); }
#else
DIOPTER_HD inline float mul_rn(float a, float b) { return a * b; }
DIOPTER_HD inline float add_rn(float a, float b) { return a + b; }
DIOPTER_HD inline float sub_rn(float a, float b) { return a - b; }
DIOPTER_HD inline float div_rn(float a, float b) { return a / b; }
#endif

DIOPTER_HD inline float box_area(const Box& b) { return mul_rn(sub_rn(b.x2, b.x1), sub_rn(b.y2, b.y1)); }

/// Area of the overlap; 0 where the boxes do not meet.
DIOPTER_HD inline float box_intersection(const Box& a, const Box& b) {
  const float w = sub_rn(a.x2 < b.x2 ? a.x2 : b.x2, a.x1 > b.x1 ? a.x1 : b.x1);
  const float h = sub_rn(a.y2 < b.y2 ? a.y2 : b.y2, a.y1 > b.y1 ? a.y1 : b.y1);
  return w > 0 && h > 0 ? mul_rn(w, h) : 0.0f;
}

/// Intersection over union; 0 for two empty boxes.
DIOPTER_HD inline float box_iou(const Box& a, const Box& b) {
  const float intersection = box_intersection(a, b);
  const float united = sub_rn(add_rn(box_area(a), box_area(b)), intersection);
  return intersection > 0 ? div_rn(intersection, united) : 0.0f;
}

/// How a box is coded relative to an anchor (Girshick et al. 2014, appendix C):
///   dx = wx (cx - ax) / aw,  dy = wy (cy - ay) / ah,  dw = ww log(w / aw),  dh = wh log(h / ah)
/// with centres c and sizes w, h. Decoding clamps dw / ww and dh / wh to at most kMaxLogScale.
struct BoxCoder {
  float wx = 1, wy = 1, ww = 1, wh = 1;
};

inline constexpr double kMaxLogScale = 4.135166556742356;  // log(1000 / 16)

/// deltas of `box` relative to `anchor`; both must have positive width and height.
template <class T>
DIOPTER_HD void encode_box(const BoxCoder& coder, const BoxT<T>& anchor, const BoxT<T>& box, T deltas[4]) {
  const T aw = anchor.x2 - anchor.x1, ah = anchor.y2 - anchor.y1;
  const T w = box.x2 - box.x1, h = box.y2 - box.y1;
  deltas[0] = T(coder.wx) * ((box.x1 + T(0.5) * w) - (anchor.x1 + T(0.5) * aw)) / aw;
  deltas[1] = T(coder.wy) * ((box.y1 + T(0.5) * h) - (anchor.y1 + T(0.5) * ah)) / ah;
  deltas[2] = T(coder.ww) * std::log(w / aw);
  deltas[3] = T(coder.wh) * std::log(h / ah);
}

/// Box that the deltas describe. Inverse of encode_box below the clamp.
template <class T>
DIOPTER_HD BoxT<T> decode_box(const BoxCoder& coder, const BoxT<T>& anchor, const T deltas[4]) {
  const T aw = anchor.x2 - anchor.x1, ah = anchor.y2 - anchor.y1;
  const T dw = deltas[2] / T(coder.ww), dh = deltas[3] / T(coder.wh);
  const T w = std::exp(dw < T(kMaxLogScale) ? dw : T(kMaxLogScale)) * aw;
  const T h = std::exp(dh < T(kMaxLogScale) ? dh : T(kMaxLogScale)) * ah;
  const T cx = deltas[0] / T(coder.wx) * aw + (anchor.x1 + T(0.5) * aw);
  const T cy = deltas[1] / T(coder.wy) * ah + (anchor.y1 + T(0.5) * ah);
  return {cx - T(0.5) * w, cy - T(0.5) * h, cx + T(0.5) * w, cy + T(0.5) * h};
}

/// Whether the boxes' intersection is larger than threshold * union; the areas are those of box_area.
DIOPTER_HD inline bool overlaps_more(const Box& a, float area_a, const Box& b, float area_b, float threshold) {
  const float intersection = box_intersection(a, b);
  const float united = sub_rn(add_rn(area_a, area_b), intersection);
  return intersection > mul_rn(threshold, united);
}

}  // namespace diopter
