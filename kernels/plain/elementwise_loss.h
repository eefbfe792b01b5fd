// Classification loss of logits with a target each, the shortest way. The fast version:
// kernels/detection/pairs/elementwise_loss.{h,cpp,cu}.
#pragma once

#include "kernels/detection/any_loss.h"
#include "kernels/detection/pairs/elementwise_loss.h"

namespace diopter::plain {

template <class T>
void elementwise_loss(const ElementwiseLossArgs<T>& args, const AnyLoss& loss) {
  double sum = 0;
  for (std::int64_t i = 0; i < args.n; ++i) {
    const double logit = static_cast<float>(args.logits[i]), target = args.targets[i];
    const ValueAndDerivative<double> l = loss_at_target(loss, logit, target);
    sum += l.value;
    if (args.losses) args.losses[i] = static_cast<float>(l.value);
    if (args.gradient) args.gradient[i] = T(static_cast<float>(args.scale * l.derivative));
  }
  if (args.sum) *args.sum = static_cast<float>(double{args.scale} * sum);
}

}  // namespace diopter::plain
