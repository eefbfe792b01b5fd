#include "kernels/nn/max_pool.h"

#include "kernels/nn/rows.cuh"

namespace diopter::cuda {

namespace {

/// One thread per (output pixel, pack of channels) walks over its window in ky, kx order: the first of equals wins, a
/// NaN wins over numbers, as on the CPU. No shared memory: what neighbouring windows share comes from the cache.
template <class T>
__global__ void __launch_bounds__(kRowThreads) forward_kernel(MaxPoolShape shape, const T* x, T* y, std::uint8_t* tap) {
  constexpr int N = kPack<T>;
  const LevelShape in = shape.in, out = shape.out();
  const std::int64_t index = pixel_index();
  const int c = first_channel<N>(), left_over = shape.channels - c;
  if (index >= out.rows() || left_over <= 0) return;
  const Pixel pixel = pixel_of(out, static_cast<int>(index));
  const int top = pixel.y * shape.stride - shape.padding, left = pixel.x * shape.stride - shape.padding;

  // The window, cut at the edges of the image.
  Packed<T, N> best = {};
  Packed<std::uint8_t, N> best_tap = {};
  bool first = true;
  for (int iy = max(top, 0); iy < min(top + shape.kernel, in.h); ++iy) {
    for (int ix = max(left, 0); ix < min(left + shape.kernel, in.w); ++ix, first = false) {
      const std::int64_t from = (std::int64_t{pixel.image} * in.h + iy) * in.w + ix;
      const auto values = read<N>(x + from * shape.channels + c, left_over);
      const auto here = static_cast<std::uint8_t>((iy - top) * shape.kernel + (ix - left));
#pragma unroll
      for (int j = 0; j < N; ++j) {
        const bool wins = first || max_pool_replaces(float(values[j]), float(best[j]));
        best[j] = wins ? values[j] : best[j];
        best_tap[j] = wins ? here : best_tap[j];
      }
    }
  }
  write(y + index * shape.channels + c, left_over, best);
  write(tap + index * shape.channels + c, left_over, best_tap);
}

/// One thread per (input pixel, pack of channels) gathers from the windows it lies in, in oy, ox order: no atomics,
/// same bits always, and those of the CPU.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(MaxPoolShape shape, const std::uint8_t* tap, const T* dy, T* dx) {
  constexpr int N = kPack<T>;
  const LevelShape in = shape.in, out = shape.out();
  const int kernel = shape.kernel, stride = shape.stride;
  const std::int64_t index = pixel_index();
  const int c = first_channel<N>(), left_over = shape.channels - c;
  if (index >= in.rows() || left_over <= 0) return;
  const Pixel pixel = pixel_of(in, static_cast<int>(index));
  const int y = pixel.y + shape.padding, x = pixel.x + shape.padding;

  // The windows that this pixel lies in: window o covers [o stride, o stride + kernel) of the padded axis. A window
  // whose tap names this pixel gives its dy; the others give 0.
  float sum[N] = {};
  for (int oy = y < kernel ? 0 : (y - kernel) / stride + 1; oy <= min(y / stride, out.h - 1); ++oy) {
    for (int ox = x < kernel ? 0 : (x - kernel) / stride + 1; ox <= min(x / stride, out.w - 1); ++ox) {
      const int here = (y - oy * stride) * kernel + (x - ox * stride);
      const std::int64_t from = ((std::int64_t{pixel.image} * out.h + oy) * out.w + ox) * shape.channels + c;
      const auto taps = read<N>(tap + from, left_over);
      const auto gradient = read<N>(dy + from, left_over);
#pragma unroll
      for (int j = 0; j < N; ++j) sum[j] += taps[j] == here ? float(gradient[j]) : 0.0f;
    }
  }
  Packed<T, N> total;
#pragma unroll
  for (int j = 0; j < N; ++j) total[j] = to<T>(sum[j]);
  write(dx + index * shape.channels + c, left_over, total);
}

}  // namespace

template <class T>
void max_pool_forward(const MaxPoolShape& shape, const T* x, T* y, std::uint8_t* tap) {
  validate(shape);
  const RowCut cut = cut_for_pixels<kPack<T>>(shape.out(), shape.channels);
  launch(forward_kernel<T>, {.grid = cut.grid, .block = cut.block}, shape, x, y, tap);
}

template <class T>
void max_pool_backward(const MaxPoolShape& shape, const std::uint8_t* tap, const T* dy, T* dx) {
  validate(shape);
  const RowCut cut = cut_for_pixels<kPack<T>>(shape.in, shape.channels);
  launch(backward_kernel<T>, {.grid = cut.grid, .block = cut.block}, shape, tap, dy, dx);
}

template void max_pool_forward(const MaxPoolShape&, const float*, float*, std::uint8_t*);
template void max_pool_forward(const MaxPoolShape&, const bf16*, bf16*, std::uint8_t*);
template void max_pool_backward(const MaxPoolShape&, const std::uint8_t*, const float*, float*);
template void max_pool_backward(const MaxPoolShape&, const std::uint8_t*, const bf16*, bf16*);

}  // namespace diopter::cuda
