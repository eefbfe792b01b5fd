#include "kernels/nn/batch_norm.h"

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/nn/norm_rows.cuh"

// Three launches each way: partial sums of every chunk of rows; their total per channel, from which the coefficients of
// norm.h follow; and the map over x. Each launch sees what the one before it wrote, and within a launch no two threads
// write the same place. Mapping and order of sums: rows.cuh; the loops over rows: norm_rows.cuh. Of a batch in parts
// the second launch ends with the totals, and another one makes the coefficients from those of all parts.
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
    moments_kernel(std::int64_t rows, std::int64_t chunk, int channels, const T* x, Moments<float>* partial) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, rows);
  Moments<float> mine[N] = {};
  add_moments(begin, end, channels, x, mine);
  store_partial(mine, channels, partial);
}

/// Moments of column total_column() from its partial results, in double, in the threads with threadIdx.y == 0. All must
/// call.
__device__ Moments<double> total_moments(std::int64_t chunks, int channels, const Moments<float>* partial) {
  const int c = total_column();
  const double reference = c < channels ? partial[c].mean : 0.0f;
  const auto sums = column_total<MomentSums>(
      chunks, channels, partial, [=](const Moments<float>& chunk) { return MomentSums::of(chunk, reference); });
  return sums.about(reference);
}

/// All that is stored per channel, from its moments.
template <class T>
__device__ void store_statistics(const BatchNormForwardArgs<T>& args, int c, const Moments<double>& moments,
                                 float* scale, float* shift) {
  const double rstd = 1.0 / sqrt(moments.variance() + args.eps);
  args.mean[c] = static_cast<float>(moments.mean);
  args.rstd[c] = static_cast<float>(rstd);
  if (args.running_mean) {
    const float var = static_cast<float>(moments.unbiased_variance());
    args.running_mean[c] += args.momentum * (static_cast<float>(moments.mean) - args.running_mean[c]);
    args.running_var[c] += args.momentum * (var - args.running_var[c]);
  }
  const NormMap map = norm_map(moments.mean, rstd, args.gamma[c], args.beta[c]);
  scale[c] = map.scale;
  shift[c] = map.shift;
}

/// Statistics of the rows that `partial` is of. The threads without a total leave only after it is made.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    forward_statistics_kernel(BatchNormForwardArgs<T> args, std::int64_t chunks, const Moments<float>* partial,
                              float* scale, float* shift) {
  const int c = total_column();
  const Moments<double> moments = total_moments(chunks, args.channels, partial);
  if (threadIdx.y == 0 && c < args.channels) store_statistics(args, c, moments, scale, shift);
}

/// Statistics from the moments of a batch in parts. One thread per channel.
template <class T>
__global__ void given_statistics_kernel(BatchNormForwardArgs<T> args, float* scale, float* shift) {
  const std::int64_t c = thread_index();
  if (c < args.channels) store_statistics(args, static_cast<int>(c), args.moments[c], scale, shift);
}

/// The moments of a part.
__global__ void __launch_bounds__(kRowThreads)
    total_moments_kernel(std::int64_t chunks, int channels, const Moments<float>* partial, Moments<double>* result) {
  const int c = total_column();
  const Moments<double> moments = total_moments(chunks, channels, partial);
  if (threadIdx.y == 0 && c < channels) result[c] = moments;
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

/// A channel's gradients, from the sums over the part's own rows, and the coefficients of dx = a dy + b (x - mean) + d,
/// from those over all n rows of the batch.
template <class T>
__device__ void store_gradients(const BatchNormBackwardArgs<T>& args, int c, const NormProducts& own,
                                const NormProducts& total, double n, Coefficients dx) {
  const double rstd = args.rstd[c], gamma = args.gamma[c];
  args.dbeta[c] = static_cast<float>(own.dy);
  args.dgamma[c] = static_cast<float>(own.dy_x * rstd);
  const auto through = statistics_gradient(rstd, n, gamma * total.dy, gamma * (total.dy_x * rstd));
  dx.a[c] = static_cast<float>(gamma * rstd);
  dx.b[c] = through.b;
  dx.d[c] = through.d;
}

/// From the partial sums of the rows that are the batch, in double.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    backward_statistics_kernel(BatchNormBackwardArgs<T> args, std::int64_t chunks, const Pair<float>* partial,
                               Coefficients dx) {
  const auto sums = column_total<Pair<double>>(chunks, args.channels, partial);
  const int c = total_column();
  if (threadIdx.y != 0 || c >= args.channels) return;
  const NormProducts products{sums.a, sums.b};
  store_gradients(args, c, products, products, static_cast<double>(args.rows), dx);
}

/// From the sums of a batch in parts. One thread per channel.
template <class T>
__global__ void given_products_kernel(BatchNormBackwardArgs<T> args, Coefficients dx) {
  const std::int64_t c = thread_index();
  if (c >= args.channels) return;
  store_gradients(args, static_cast<int>(c), args.own[c], args.total[c], args.total_rows, dx);
}

/// The sums of a part.
__global__ void __launch_bounds__(kRowThreads)
    total_products_kernel(std::int64_t chunks, int channels, const Pair<float>* partial, NormProducts* result) {
  const auto sums = column_total<Pair<double>>(chunks, channels, partial);
  const int c = total_column();
  if (threadIdx.y == 0 && c < channels) result[c] = {sums.a, sums.b};
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

constexpr int kChannelThreads = 128;  // of kernels with a thread per channel

}  // namespace

template <class T>
void batch_norm_forward(const BatchNormForwardArgs<T>& args) {
  DIOPTER_CHECK(args.rows >= 1, "batch norm in training needs at least one row");
  const Scratch<float> scale(args.channels), shift(args.channels);
  if (args.moments) {
    launch(given_statistics_kernel<T>, {.grid = blocks_for(args.channels, kChannelThreads), .block = kChannelThreads},
           args, scale.data(), shift.data());
  } else {
    const RowCut cut = cut_for_sums<kPack<T>>(args.rows, args.channels);
    const std::int64_t chunks = cut.grid.x;
    const Scratch<Moments<float>> partial(chunks * args.channels);
    launch(moments_kernel<T>, {.grid = cut.grid, .block = cut.block}, args.rows, cut.rows, args.channels, args.x,
           partial.data());
    launch(forward_statistics_kernel<T>, {.grid = total_grid(args.channels), .block = total_block()}, args, chunks,
           partial.data(), scale.data(), shift.data());
  }
  channel_affine(args.rows, args.channels, scale.data(), shift.data(), args.x, args.y);
}

template <class T>
void batch_norm_moments(std::int64_t rows, int channels, const T* x, Moments<double>* moments) {
  const RowCut cut = cut_for_sums<kPack<T>>(rows, channels);
  const std::int64_t chunks = cut.grid.x;
  const Scratch<Moments<float>> partial(chunks * channels);
  launch(moments_kernel<T>, {.grid = cut.grid, .block = cut.block}, rows, cut.rows, channels, x, partial.data());
  launch(total_moments_kernel, {.grid = total_grid(channels), .block = total_block()}, chunks, channels, partial.data(),
         moments);
}

template <class T>
void batch_norm_backward(const BatchNormBackwardArgs<T>& args) {
  const Scratch<float> a(args.channels), b(args.channels), d(args.channels);
  const Coefficients coefficients{a.data(), b.data(), d.data()};
  if (args.own) {
    launch(given_products_kernel<T>, {.grid = blocks_for(args.channels, kChannelThreads), .block = kChannelThreads},
           args, coefficients);
  } else {
    const RowCut sums = cut_for_sums<kPack<T>>(args.rows, args.channels);
    const std::int64_t chunks = sums.grid.x;
    const Scratch<Pair<float>> partial(chunks * args.channels);
    launch(products_kernel<T>, {.grid = sums.grid, .block = sums.block}, args, sums.rows, partial.data());
    launch(backward_statistics_kernel<T>, {.grid = total_grid(args.channels), .block = total_block()}, args, chunks,
           partial.data(), coefficients);
  }
  const RowCut map = cut_for_map<kPack<T>>(args.rows, args.channels);
  launch(backward_kernel<T>, {.grid = map.grid, .block = map.block}, args, map.rows, coefficients);
}

template <class T>
void batch_norm_products(const BatchNormBackwardArgs<T>& args, NormProducts* products) {
  const RowCut cut = cut_for_sums<kPack<T>>(args.rows, args.channels);
  const std::int64_t chunks = cut.grid.x;
  const Scratch<Pair<float>> partial(chunks * args.channels);
  launch(products_kernel<T>, {.grid = cut.grid, .block = cut.block}, args, cut.rows, partial.data());
  launch(total_products_kernel, {.grid = total_grid(args.channels), .block = total_block()}, chunks, args.channels,
         partial.data(), products);
}

void batch_norm_fold(int channels, float eps, const float* gamma, const float* beta, const float* running_mean,
                     const float* running_var, float* scale, float* shift) {
  launch(fold_kernel, {.grid = blocks_for(channels, kChannelThreads), .block = kChannelThreads}, channels, eps, gamma,
         beta, running_mean, running_var, scale, shift);
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
template void batch_norm_moments(std::int64_t, int, const float*, Moments<double>*);
template void batch_norm_moments(std::int64_t, int, const bf16*, Moments<double>*);
template void batch_norm_products(const BatchNormBackwardArgs<float>&, NormProducts*);
template void batch_norm_products(const BatchNormBackwardArgs<bf16>&, NormProducts*);
template void channel_affine(std::int64_t, int, const float*, const float*, const float*, float*);
template void channel_affine(std::int64_t, int, const float*, const float*, const bf16*, bf16*);

}  // namespace diopter::cuda
