// Group normalisation (Wu and He 2018): each image of each level is normalised by itself, per group of channels.
//
//   y = gamma (x - mean) rstd + beta,  mean and biased variance over the pixels of an image and the channels of a group
//   dx = rstd (g - mean(g) - xhat mean(g xhat)),  g = dy gamma,  xhat = (x - mean) rstd
//   dgamma = sum dy xhat,  dbeta = sum dy   over all rows
//
// With relu, y = relu(gamma (x - mean) rstd + beta) and dy is the gradient of that, in the same passes over memory.
//
// Shapes: x [levels.rows(), channels]; mean, rstd [images, groups], images = sum of n over the levels, level-major.
// channels is a multiple of groups. T is float or bf16; statistics and parameters are float. Outputs are overwritten.
//
// Start here: kernels/plain/norm.h; the formulas that both norms share: kernels/nn/norm.h
#pragma once

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

template <class T>
struct GroupNormForwardArgs {
  Levels levels;
  int channels, groups;
  const T* x;
  const float *gamma, *beta;  // [channels]
  float eps = 1e-5f;
  T* y;
  float *mean, *rstd;  // [images, groups], saved for backward
  bool relu = false;
};

template <class T>
struct GroupNormBackwardArgs {
  Levels levels;
  int channels, groups;
  const T *x, *dy;
  const float *gamma, *mean, *rstd;
  T* dx;                  // may be dy itself
  float *dgamma, *dbeta;  // [channels]
  bool relu = false;
  const float* beta = nullptr;  // [channels], read with relu
};

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void group_norm_forward(const GroupNormForwardArgs<T>& args);
               template <class T> void group_norm_backward(const GroupNormBackwardArgs<T>& args))

namespace diopter::least_work {

/// As of batch_norm: x is read twice, and dy, too.
template <class T>
LeastWork group_norm_forward(const GroupNormForwardArgs<T>& args) {
  return passes<T>(3, args.levels.rows() * args.channels);
}
template <class T>
LeastWork group_norm_backward(const GroupNormBackwardArgs<T>& args) {
  return passes<T>(5, args.levels.rows() * args.channels);
}

}  // namespace diopter::least_work
