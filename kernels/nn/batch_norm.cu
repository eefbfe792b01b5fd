#include "kernels/nn/batch_norm.h"

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/nn/norm_rows.cuh"

// Three launches each way: partial sums of every chunk of rows; their total per channel, from which the coefficients of
// norm.h follow; and the map over x. Each launch sees what the one before it wrote, and within a launch no two threads
// write the same place. Mapping and order of sums: rows.cuh; the loops over rows: norm_rows.cuh.
namespace diopter::cuda {

namespace {

/// Coefficients that turn a channel of x (and dy) into y (or dx): three arrays of floats in device memory.
struct Coefficients {
  float *a, *b, *d;
};

/// partial[chunk, channel] = moments of x over the rows of a chunk. One pass over x; shared memory only to join the
/// threads of a block at the end.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    moments_kernel(BatchNormForwardArgs<T> args, std::int64_t chunk, Moments<float>* partial) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, args.rows);
  Moments<float> mine[N] = {};
  add_moments(begin, end, args.channels, args.x, mine);
  store_partial(mine, args.channels, partial);
}

/// A channel's statistics from its partial results, in double, and from them all that is stored per channel. The sum is
/// in the threads with threadIdx.y == 0; the others leave only after it is made.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    forward_statistics_kernel(BatchNormForwardArgs<T> args, std::int64_t chunks, const Moments<float>* partial,
                              float* scale, float* shift) {
  const int c = total_column();
  const double reference = c < args.channels ? partial[c].mean : 0.0f;
  const auto sums = column_total<MomentSums>(
      chunks, args.channels, partial, [=](const Moments<float>& chunk) { return MomentSums::of(chunk, reference); });
  const Moments<double> moments = sums.about(reference);
  if (threadIdx.y != 0 || c >= args.channels) return;
  const double var = moments.variance(), rstd = 1.0 / sqrt(var + args.eps);
  const double unbiased = moments.n > 1.0 ? moments.m2 / (moments.n - 1.0) : var;
  args.mean[c] = static_cast<float>(moments.mean);
  args.rstd[c] = static_cast<float>(rstd);
  args.running_mean[c] += args.momentum * (static_cast<float>(moments.mean) - args.running_mean[c]);
  args.running_var[c] += args.momentum * (static_cast<float>(unbiased) - args.running_var[c]);
  const NormMap map = norm_map(moments.mean, rstd, args.gamma[c], args.beta[c]);
  scale[c] = map.scale;
  shift[c] = map.shift;
}

/// y = x scale[c] + shift[c]. Each element stands alone: x may be y.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    channel_affine_kernel(std::int64_t rows, std::int64_t chunk, int channels, const float* scale, const float* shift,
                          const T* x, T* y) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, rows);
  const int c = first_channel<N>();
  const auto factor = read<N>(scale + c, channels - c);
  const auto offset = shift ? read<N>(shift + c, channels - c) : Packed<float, N>{};
  scale_and_shift(begin, end, channels, x, factor, offset, y);
}

/// partial[chunk, channel] = sums of dy and of dy (x - mean) over the rows of a chunk.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    products_kernel(BatchNormBackwardArgs<T> args, std::int64_t chunk, Pair<float>* partial) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, args.rows);
  const int c = first_channel<N>();
  const auto mean = read<N>(args.mean + c, args.channels - c);
  Pair<float> mine[N] = {};
  add_norm_products(begin, end, args.channels, args.x, args.dy, mean, mine);
  store_partial(mine, args.channels, partial);
}

/// A channel's gradients from its partial sums, in double, and the coefficients of dx = a dy + b (x - mean) + d.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    backward_statistics_kernel(BatchNormBackwardArgs<T> args, std::int64_t chunks, const Pair<float>* partial,
                               Coefficients dx) {
  const auto sums = column_total<Pair<double>>(chunks, args.channels, partial);
  const int c = total_column();
  if (threadIdx.y != 0 || c >= args.channels) return;
  const double rstd = args.rstd[c], gamma = args.gamma[c];
  const double dbeta = sums.a, dgamma = sums.b * rstd;
  args.dbeta[c] = static_cast<float>(dbeta);
  args.dgamma[c] = static_cast<float>(dgamma);
  const auto through = statistics_gradient(rstd, static_cast<double>(args.rows), gamma * dbeta, gamma * dgamma);
  dx.a[c] = static_cast<float>(gamma * rstd);
  dx.b[c] = through.b;
  dx.d[c] = through.d;
}

/// dx = a dy + b (x - mean) + d. Each element stands alone: dx may be dy.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(BatchNormBackwardArgs<T> args, std::int64_t chunk, Coefficients coefficients) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, args.rows);
  const int c = first_channel<N>(), left = args.channels - c;
  const auto a = read<N>(coefficients.a + c, left), b = read<N>(coefficients.b + c, left);
  const auto d = read<N>(coefficients.d + c, left), mean = read<N>(args.mean + c, left);
  norm_gradient(begin, end, args.channels, args.x, args.dy, a, b, d, mean, args.dx);
}

/// One thread per channel.
__global__ void fold_kernel(int channels, float eps, const float* gamma, const float* beta, const float* running_mean,
                            const float* running_var, float* scale, float* shift) {
  const std::int64_t c = thread_index();
  if (c >= channels) return;
  scale[c] = gamma[c] / sqrtf(running_var[c] + eps);
  shift[c] = beta[c] - running_mean[c] * scale[c];
}

}  // namespace

template <class T>
void batch_norm_forward(const BatchNormForwardArgs<T>& args) {
  DIOPTER_CHECK(args.rows >= 1, "batch norm in training needs at least one row");
  const RowCut cut = cut_for_sums<kPack<T>>(args.rows, args.channels);
  const std::int64_t chunks = cut.grid.x;
  const Scratch<Moments<float>> partial(chunks * args.channels);
  const Scratch<float> scale(args.channels), shift(args.channels);
  launch(moments_kernel<T>, {.grid = cut.grid, .block = cut.block}, args, cut.rows, partial.data());
  launch(forward_statistics_kernel<T>, {.grid = total_grid(args.channels), .block = total_block()}, args, chunks,
         partial.data(), scale.data(), shift.data());
  channel_affine(args.rows, args.channels, scale.data(), shift.data(), args.x, args.y);
}

template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>& args) {
  const RowCut sums = cut_for_sums<kPack<T>>(args.rows, args.channels);
  const std::int64_t chunks = sums.grid.x;
  const Scratch<Pair<float>> partial(chunks * args.channels);
  const Scratch<float> a(args.channels), b(args.channels), d(args.channels);
  const Coefficients coefficients{a.data(), b.data(), d.data()};
  launch(products_kernel<T>, {.grid = sums.grid, .block = sums.block}, args, sums.rows, partial.data());
  launch(backward_statistics_kernel<T>, {.grid = total_grid(args.channels), .block = total_block()}, args, chunks,
         partial.data(), coefficients);
  const RowCut map = cut_for_map<kPack<T>>(args.rows, args.channels);
  launch(backward_kernel<T>, {.grid = map.grid, .block = map.block}, args, map.rows, coefficients);
}

void batch_norm_fold(int channels, float eps, const float* gamma, const float* beta, const float* running_mean,
                     const float* running_var, float* scale, float* shift) {
  launch(fold_kernel, {.grid = blocks_for(channels, 128), .block = 128}, channels, eps, gamma, beta, running_mean,
         running_var, scale, shift);
}

template <class T>
void channel_affine(std::int64_t rows, int channels, const float* scale, const float* shift, const T* x, T* y) {
  const RowCut cut = cut_for_map<kPack<T>>(rows, channels);
  launch(channel_affine_kernel<T>, {.grid = cut.grid, .block = cut.block}, rows, cut.rows, channels, scale, shift, x,
         y);
}

template void batch_norm_forward(const BatchNormForwardArgs<float>&);
template void batch_norm_forward(const BatchNormForwardArgs<bf16>&);
template void batch_norm_backward(const BatchNormBackwardArgs<float>&);
template void batch_norm_backward(const BatchNormBackwardArgs<bf16>&);
template void channel_affine(std::int64_t, int, const float*, const float*, const float*, float*);
template void channel_affine(std::int64_t, int, const float*, const float*, const bf16*, bf16*);

}  // namespace diopter::cuda
