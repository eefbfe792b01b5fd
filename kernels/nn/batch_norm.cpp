#include "kernels/nn/batch_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/nn/norm_rows.h"
#include "kernels/nn/row_sums.h"

namespace diopter::cpu {

template <class T>
void batch_norm_forward(const BatchNormForwardArgs<T>& args) {
  const std::int64_t rows = args.rows;
  const int channels = args.channels;
  DIOPTER_CHECK(rows >= 1, "batch norm in training needs at least one row");
  std::vector<Moments<double>> of_x;
  if (!args.moments) {
    of_x.resize(static_cast<std::size_t>(channels));
    batch_norm_moments(rows, channels, args.x, of_x.data());
  }
  const Moments<double>* moments = args.moments ? args.moments : of_x.data();
  std::vector<float> scale(channels), shift(channels);
  for (int c = 0; c < channels; ++c) {
    const double mean = moments[c].mean, rstd = 1.0 / std::sqrt(moments[c].variance() + double{args.eps});
    args.mean[c] = static_cast<float>(mean);
    args.rstd[c] = static_cast<float>(rstd);
    if (args.running_mean) {
      const float var = static_cast<float>(moments[c].unbiased_variance());
      args.running_mean[c] += args.momentum * (static_cast<float>(mean) - args.running_mean[c]);
      args.running_var[c] += args.momentum * (var - args.running_var[c]);
    }
    const NormMap map = norm_map(mean, rstd, args.gamma[c], args.beta[c]);
    scale[c] = map.scale, shift[c] = map.shift;
  }
  channel_affine(rows, channels, scale.data(), shift.data(), args.x, args.y);
}

template <class T>
void batch_norm_moments(std::int64_t rows, int channels, const T* x, Moments<double>* moments) {
  // Sum and sum of squares in double: exact enough that no second pass over x is needed for the variance.
  const auto sums = row_sums(rows, row_grain(rows, channels), 2 * channels,
                             [&](std::int64_t begin, std::int64_t end, double* partial) {
                               add_moments(end - begin, channels, x + begin * channels, partial, partial + channels);
                             });
  const double n = static_cast<double>(rows);
  for (int c = 0; c < channels; ++c) {
    const double mean = sums[c] / n;
    moments[c] = {n, mean, n * std::max(0.0, sums[channels + c] / n - mean * mean)};
  }
}

template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>& args) {
  const std::int64_t rows = args.rows;
  const int channels = args.channels;
  std::vector<NormProducts> of_x;
  if (!args.own) {
    of_x.resize(static_cast<std::size_t>(channels));
    batch_norm_products(args, of_x.data());
  }
  const NormProducts *own = args.own ? args.own : of_x.data(), *total = args.own ? args.total : own;
  const double n = args.own ? args.total_rows : static_cast<double>(rows);
  std::vector<float> a(channels), b(channels), d(channels);
  for (int c = 0; c < channels; ++c) {
    const double gamma = args.gamma[c], rstd = args.rstd[c];
    args.dbeta[c] = static_cast<float>(own[c].dy);
    args.dgamma[c] = static_cast<float>(own[c].dy_x * rstd);
    const auto through = statistics_gradient(rstd, n, gamma * total[c].dy, gamma * (total[c].dy_x * rstd));
    a[c] = static_cast<float>(gamma * rstd), b[c] = through.b, d[c] = through.d;
  }
  parallel_for(rows, row_grain(rows, channels), [&](std::int64_t begin, std::int64_t end) {
    const std::int64_t first = begin * channels;
    norm_gradient(end - begin, channels, args.x + first, args.dy + first, {a.data(), b.data(), d.data(), args.mean},
                  args.dx + first);
  });
}

template <class T>
void batch_norm_products(const BatchNormBackwardArgs<T>& args, NormProducts* products) {
  const int channels = args.channels;
  const auto sums = row_sums(args.rows, row_grain(args.rows, channels), 2 * channels,
                             [&](std::int64_t begin, std::int64_t end, double* partial) {
                               add_norm_products(end - begin, channels, args.x + begin * channels,
                                                 args.dy + begin * channels, args.mean, partial, partial + channels);
                             });
  for (int c = 0; c < channels; ++c) products[c] = {sums[c], sums[channels + c]};
}

void batch_norm_fold(int channels, float eps, const float* gamma, const float* beta, const float* running_mean,
                     const float* running_var, float* scale, float* shift) {
  for (int c = 0; c < channels; ++c) {
    scale[c] = gamma[c] / std::sqrt(running_var[c] + eps);
    shift[c] = beta[c] - running_mean[c] * scale[c];
  }
}

template <class T>
void channel_affine(std::int64_t rows, int channels, const float* scale, const float* shift, const T* x, T* y) {
  const std::vector<float> zero(shift ? 0 : channels);
  const float* add = shift ? shift : zero.data();
  parallel_for(rows, row_grain(rows, channels), [=](std::int64_t begin, std::int64_t end) {
    scale_and_shift(end - begin, channels, x + begin * channels, scale, add, y + begin * channels);
  });
}

template void batch_norm_forward(const BatchNormForwardArgs<float>&);
template void batch_norm_forward(const BatchNormForwardArgs<bf16>&);
template void batch_norm_backward(const BatchNormBackwardArgs<float>&);
template void batch_norm_backward(const BatchNormBackwardArgs<bf16>&);
template void batch_norm_moments(std::int64_t, int, const float*, Moments<double>*);
template void batch_norm_moments(std::int64_t, int, const bf16*, Moments<double>*);
template void batch_norm_products(const BatchNormBackwardArgs<float>&, NormProducts*);
template void batch_norm_products(const BatchNormBackwardArgs<bf16>&, NormProducts*);
template void channel_affine(std::int64_t, int, const float*, const float*, const float*, float*);
template void channel_affine(std::int64_t, int, const float*, const float*, const bf16*, bf16*);

}  // namespace diopter::cpu
