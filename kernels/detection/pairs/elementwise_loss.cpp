#include "kernels/detection/pairs/elementwise_loss.h"

#include "kernels/base/bf16.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/detection/loss_functions.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kPart = 1 << 14;  // logits that a thread takes at a time

/// Throws Error for a target that the loss does not have.
void check_targets(const float* targets, std::int64_t begin, std::int64_t end, bool soft) {
  const auto fits = [soft](float t) { return soft ? t >= 0 && t <= 1 : t == 0 || t == 1; };
  bool all = true;
  for (std::int64_t i = begin; i < end; ++i) all &= fits(targets[i]);
  for (std::int64_t i = begin; i < end && !all; ++i) {
    DIOPTER_CHECK(fits(targets[i]), "targets: element ", i, " is ", targets[i], ", must be ",
                  soft ? "from 0 to 1" : "0 or 1: this loss has no soft targets");
  }
}

}  // namespace

template <class T>
void elementwise_loss(const ElementwiseLossArgs<T>& args, const LossFunctions& loss, bool soft) {
  const double sum = parallel_sum<double>(args.n, kPart, [&](std::int64_t begin, std::int64_t end) {
    check_targets(args.targets, begin, end, soft);
    return loss.elements<T>({.x = args.logits + begin,
                             .targets = args.targets + begin,
                             .losses = args.losses ? args.losses + begin : nullptr,
                             .dx = args.gradient ? args.gradient + begin : nullptr,
                             .n = end - begin,
                             .scale = args.scale});
  });
  if (args.sum) *args.sum = static_cast<float>(double{args.scale} * sum);
}

template <class T>
void elementwise_loss(const ElementwiseLossArgs<T>& args, const AnyLoss& loss) {
  elementwise_loss(args, loss_functions(loss), has_soft_targets(loss));
}

template void elementwise_loss(const ElementwiseLossArgs<float>&, const LossFunctions&, bool);
template void elementwise_loss(const ElementwiseLossArgs<float>&, const AnyLoss&);
template void elementwise_loss(const ElementwiseLossArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cpu
