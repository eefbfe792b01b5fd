#include "kernels/detection/loss_scale.h"

namespace diopter::cpu {

void loss_scale(const LossScaleArgs& args) { compute_loss_scale(args); }

void guided_scale(const GuidedScaleArgs& args) { compute_guided_scale(args); }

}  // namespace diopter::cpu
