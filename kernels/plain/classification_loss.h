// Classification loss, the shortest way: every logit by itself, in double. The fast versions:
// kernels/detection/classification_loss.{h,cpp,cu}.
//
//   losses[image] = sum over anchors with label != kIgnore and classes k of loss(x, k == label)
//   gradient      = scale[image] * dloss/dx; 0 for ignored anchors
// At k == label a loss with soft targets takes the anchor's quality for its target, and the loss is multiplied by the
// class's weight; one that focuses by class is that of the class.
#pragma once

#include <vector>

#include "kernels/detection/any_loss.h"
#include "kernels/detection/box.h"
#include "kernels/detection/classification_loss.h"

namespace diopter::plain {

/// losses [images], gradients [images, anchors, classes]; both are made. Without args.scale gradients stay empty.
template <class T>
void classification_loss(const ClassificationLossArgs<T>& args, const AnyLoss& loss, std::vector<double>& losses,
                         std::vector<double>& gradients) {
  const HeadLevels<T>& heads = args.logits;
  losses.assign(heads.images, 0);
  gradients.clear();
  const std::int32_t* label = args.labels;
  for (int image = 0; image < heads.images; ++image) {
    for (int l = 0; l < heads.count; ++l) {
      const HeadLevel<T>& level = heads.level[l];
      for (std::int64_t anchor = 0; anchor < level.pixels * heads.cells; ++anchor, ++label) {
        const T* logits = level.values + heads.offset(l, image, anchor);
        for (int k = 0; k < heads.channels; ++k) {
          const AnyLoss of_k = args.class_focusing ? loss_of_class(loss, args.class_focusing[k]) : loss;
          ValueAndDerivative<double> at{0, 0};
          const auto x = static_cast<double>(static_cast<float>(logits[k]));
          if (*label != kIgnore) at = loss_at(of_k, x, k == *label);
          if (k == *label && args.qualities) {
            at = positive_loss_at(of_k, x, static_cast<double>(args.qualities[label - args.labels]));
          }
          if (k == *label && args.class_weights) {
            const double weight{args.class_weights[k]};
            at = {weight * at.value, weight * at.derivative};
          }
          losses[image] += at.value;
          if (args.scale) gradients.push_back(args.scale[image] * at.derivative);
        }
      }
    }
  }
}

}  // namespace diopter::plain
