// Batch normalisation over the rows of x [rows, channels] (Ioffe and Szegedy 2015).
//
//   y = gamma (x - mean) rstd + beta,   rstd = 1 / sqrt(var + eps),   mean and (biased) var over the rows of a channel
//   dbeta = sum dy,  dgamma = sum dy xhat,  dx = gamma rstd (dy - (dbeta + xhat dgamma) / rows),  xhat = (x - mean)
//   rstd
//
// Running values: running = (1 - momentum) running + momentum batch, with the unbiased variance, as in PyTorch.
// For evaluation and frozen norms: y = x scale + shift with scale = gamma / sqrt(running_var + eps),
// shift = beta - running_mean scale; dx = dy scale.
// A batch in several parts that are normalised as one (synchronised batch norm): the moments of each part's rows
// (batch_norm_moments) add up to those of the batch, which batch_norm_forward takes; and the sums of each part
// (batch_norm_products) to those from which batch_norm_backward makes dx. dgamma and dbeta are the part's own.
//
// T is float or bf16; statistics and parameters are float. Outputs are overwritten, except the running values.
//
// Start here: kernels/plain/norm.h; the formulas that both norms share: kernels/nn/norm.h
#pragma once

#include "kernels/base/bf16.h"
#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/nn/moments.h"
#include "kernels/toolkit/levels.h"

namespace diopter {

template <class T>
struct BatchNormForwardArgs {
  std::int64_t rows;  // >= 1
  int channels;
  const T* x;
  const float *gamma, *beta;          // [channels]
  float *running_mean, *running_var;  // [channels], updated; may be null
  float momentum = 0.1f, eps = 1e-5f;
  T* y;
  float *mean, *rstd;                        // [channels], saved for backward
  const Moments<double>* moments = nullptr;  // [channels], of all parts of the batch; null: those of x
};

/// Sums over rows, by channel.
struct NormProducts {
  double dy, dy_x;  // of dy, and of dy (x - mean)
  NormProducts& operator+=(const NormProducts& other) {
    dy += other.dy;
    dy_x += other.dy_x;
    return *this;
  }
};

template <class T>
struct BatchNormBackwardArgs {
  std::int64_t rows;
  int channels;
  const T *x, *dy;
  const float *gamma, *mean, *rstd;
  T* dx;                  // may be dy itself
  float *dgamma, *dbeta;  // [channels]
  // [channels], of this part and of all parts of the batch, and the rows of all; null: x and dy are the batch
  const NormProducts *own = nullptr, *total = nullptr;
  double total_rows = 0;
};

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void batch_norm_forward(const BatchNormForwardArgs<T>& args);
               template <class T> void batch_norm_backward(const BatchNormBackwardArgs<T>& args);
               /// Of x [rows, channels], rows >= 1: moments [channels].
               template <class T>
               void batch_norm_moments(std::int64_t rows, int channels, const T* x, Moments<double>* moments);
               /// products [channels]; of args only rows, channels, x, dy and mean are read.
               template <class T>
               void batch_norm_products(const BatchNormBackwardArgs<T>& args, NormProducts* products);
               /// scale[c], shift[c] of a norm with fixed statistics
               void batch_norm_fold(int channels, float eps, const float* gamma, const float* beta,
                                    const float* running_mean, const float* running_var, float* scale, float* shift);
               /// y = x scale[c] + shift[c]; a null shift is 0 (then it is also the backward pass)
               template <class T> void channel_affine(std::int64_t rows, int channels, const float* scale,
                                                      const float* shift, const T* x, T* y))

namespace diopter::least_work {

/// The statistics must be known before the first value is normalised: x is read twice.
template <class T>
LeastWork batch_norm_forward(const BatchNormForwardArgs<T>& args) {
  return passes<T>(3, args.rows * args.channels);
}
/// x and dy are read for the sums, and once more for dx.
template <class T>
LeastWork batch_norm_backward(const BatchNormBackwardArgs<T>& args) {
  return passes<T>(5, args.rows * args.channels);
}
template <class T>
LeastWork batch_norm_moments(std::int64_t rows, int channels, const T*, const Moments<double>*) {
  return passes<T>(1, rows * channels);
}
template <class T>
LeastWork batch_norm_products(const BatchNormBackwardArgs<T>& args, const NormProducts*) {
  return passes<T>(2, args.rows * args.channels);
}
inline LeastWork batch_norm_fold(int channels, float, const float*, const float*, const float*, const float*,
                                 const float*, const float*) {
  return passes<float>(6, channels);
}
template <class T>
LeastWork channel_affine(std::int64_t rows, int channels, const float*, const float*, const T*, const T*) {
  return passes<T>(2, rows * channels);
}

}  // namespace diopter::least_work
