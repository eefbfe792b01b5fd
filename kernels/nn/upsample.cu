#include "kernels/nn/upsample.h"

#include "kernels/nn/rows.cuh"

namespace diopter::cuda {

namespace {

/// One thread per (output pixel, pack of channels) copies. No shared memory; nothing depends on an order.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    forward_kernel(LevelShape in, LevelShape out, int channels, const T* x, T* y) {
  constexpr int N = kPack<T>;
  const std::int64_t index = pixel_index();
  const int c = first_channel<N>();
  if (index >= out.rows() || c >= channels) return;
  const Pixel pixel = pixel_of(out, static_cast<int>(index));
  const int iy = upsample_source(pixel.y, in.h, out.h), ix = upsample_source(pixel.x, in.w, out.w);
  const std::int64_t from = (std::int64_t{pixel.image} * in.h + iy) * in.w + ix;
  write(y + index * channels + c, channels - c, read<N>(x + from * channels + c, channels - c));
}

/// One thread per (input pixel, pack of channels) gathers from its copies in y, x order: no atomics, same bits always.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(LevelShape in, LevelShape out, int channels, const T* dy, T* dx) {
  constexpr int N = kPack<T>;
  const std::int64_t index = pixel_index();
  const int c = first_channel<N>();
  if (index >= in.rows() || c >= channels) return;
  const Pixel pixel = pixel_of(in, static_cast<int>(index));
  const int top = upsample_first_copy(pixel.y, in.h, out.h), bottom = upsample_first_copy(pixel.y + 1, in.h, out.h);
  const int left = upsample_first_copy(pixel.x, in.w, out.w), right = upsample_first_copy(pixel.x + 1, in.w, out.w);

  // The copies of this pixel are a rectangle of y.
  float sum[N] = {};
  for (int oy = top; oy < bottom; ++oy) {
    for (int ox = left; ox < right; ++ox) {
      const std::int64_t from = (std::int64_t{pixel.image} * out.h + oy) * out.w + ox;
      const auto gradient = read<N>(dy + from * channels + c, channels - c);
#pragma unroll
      for (int j = 0; j < N; ++j) sum[j] += float(gradient[j]);
    }
  }
  Packed<T, N> total;
#pragma unroll
  for (int j = 0; j < N; ++j) total[j] = to<T>(sum[j]);
  write(dx + index * channels + c, channels - c, total);
}

}  // namespace

template <class T>
void upsample_forward(LevelShape in, int channels, int out_h, int out_w, const T* x, T* y) {
  validate_upsample(in, out_h, out_w);
  const LevelShape out{in.n, out_h, out_w};
  const RowCut cut = cut_for_pixels<kPack<T>>(out, channels);
  launch(forward_kernel<T>, {.grid = cut.grid, .block = cut.block}, in, out, channels, x, y);
}

template <class T>
void upsample_backward(LevelShape in, int channels, int out_h, int out_w, const T* dy, T* dx) {
  validate_upsample(in, out_h, out_w);
  const LevelShape out{in.n, out_h, out_w};
  const RowCut cut = cut_for_pixels<kPack<T>>(in, channels);
  launch(backward_kernel<T>, {.grid = cut.grid, .block = cut.block}, in, out, channels, dy, dx);
}

template void upsample_forward(LevelShape, int, int, int, const float*, float*);
template void upsample_forward(LevelShape, int, int, int, const bf16*, bf16*);
template void upsample_backward(LevelShape, int, int, int, const float*, float*);
template void upsample_backward(LevelShape, int, int, int, const bf16*, bf16*);

}  // namespace diopter::cuda
