#include "kernels/detection/loss_scale.h"

#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

namespace {

/// One thread: a batch has a few images, and the launch costs more than the sums.
__global__ void loss_scale_kernel(LossScaleArgs args) { compute_loss_scale(args); }

__global__ void guided_scale_kernel(GuidedScaleArgs args) { compute_guided_scale(args); }

}  // namespace

void loss_scale(const LossScaleArgs& args) { launch(loss_scale_kernel, {.grid = 1, .block = 1}, args); }

void guided_scale(const GuidedScaleArgs& args) { launch(guided_scale_kernel, {.grid = 1, .block = 1}, args); }

}  // namespace diopter::cuda
