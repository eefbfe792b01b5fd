// Online hard example mining (Shrivastava et al. 2016; for one-stage detectors Lin et al. 2017, section 5.1):
// cross-entropy (ce.h) of the anchors with the highest loss that do not overlap. hard_examples.h has the rule.
#pragma once

#include "kernels/detection/losses/ce.h"

namespace diopter {

struct OhemLoss {
  static constexpr const char* source = "Shrivastava et al. 2016; Lin et al. 2017, table 1d";

  float batch = 128;  // with nms 0.5: the best of table 1d
  float nms = 0.5f;
  float candidates = 2000;

  static constexpr LossParameter<OhemLoss> parameters[] = {
      {"batch", &OhemLoss::batch, 1, 65536, "anchors of an image that are trained on", true},
      {"nms", &OhemLoss::nms, 0, 1, "IoU above which of two anchors the one with the lower loss is left out"},
      {"candidates", &OhemLoss::candidates, 1, 65536, "anchors of each level that are looked at", true}};

  template <class T>
  DIOPTER_HD ValueAndDerivative<T> operator()(T x, bool positive) const {
    return CeLoss{}(x, positive);
  }

  /// Runs the kernel of cross-entropy, and needs none of its own.
  template <class F>
  void with_fast_version(const F& f) const {
    f(CeLoss{});
  }

  HardExampleRule hard_examples() const {
    return {.batch = static_cast<int>(batch), .nms_iou = nms, .candidates = static_cast<int>(candidates)};
  }
};

}  // namespace diopter
