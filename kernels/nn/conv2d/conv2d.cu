// Epilogue of the convolutions on the GPU, its gradient, and weights with a scale. The convolutions themselves are in
// conv2d_cudnn.cpp, or in conv2d_host.cu where the host executor stands in for a GPU.
#include "kernels/nn/conv2d/conv2d.h"

#include "kernels/device/scratch.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/rows.cuh"

namespace diopter::cuda {

namespace {

/// One value of each channel of this thread; `otherwise` where there is none.
template <int N>
__device__ Packed<float, N> of_channels(const float* values, int channels, float otherwise) {
  const int c = first_channel<N>();
  if (values) return read<N>(values + c, channels - c);
  Packed<float, N> result;
#pragma unroll
  for (int j = 0; j < N; ++j) result[j] = otherwise;
  return result;
}

/// y = relu(z scale + bias + residual). Mapping: rows.cuh. Each element stands alone: z or residual may be y.
template <class T, bool kHasResidual>
__global__ void __launch_bounds__(kRowThreads)
    epilogue_kernel(std::int64_t rows, std::int64_t chunk, int channels, const T* z, Conv2dEpilogue<T> epilogue, T* y) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, rows);
  const auto scale = of_channels<N>(epilogue.scale, channels, 1.0f);
  const auto bias = of_channels<N>(epilogue.bias, channels, 0.0f);
  const float lowest = epilogue.lowest();
  const auto map = [&](auto access, std::int64_t i, Packed<T, N> values, const auto&... residual) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      values[j] = to<T>(conv2d_result(lowest, float(values[j]), scale[j], bias[j], float(residual[j])...));
    }
    access.write(y + i, values);
  };
  if constexpr (kHasResidual) {
    for_each_row<N>(begin, end, channels, is_packed<N>(y), map, z, epilogue.residual);
  } else {
    for_each_row<N>(begin, end, channels, is_packed<N>(y), map, z);
  }
}

/// result[o, i] = scale[o] w[o, i], i below `row`. Mapping: rows.cuh, one row for each thread.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    scale_weights_kernel(int out_channels, int row, const T* w, const float* scale, T* result) {
  constexpr int N = kPack<T>;
  const std::int64_t o = pixel_index();
  const int first = first_channel<N>();
  if (o >= out_channels || first >= row) return;
  const std::int64_t i = o * row + first;
  auto values = read<N>(w + i, row - first);
#pragma unroll
  for (int j = 0; j < N; ++j) values[j] = to<T>(float(values[j]) * scale[o]);
  write(result + i, row - first, values);
}

/// dz, dresidual and, where partial is not null, partial[chunk, channel] = sum of dy [y > 0] over the rows of a chunk,
/// all in one pass over dy and y. Mapping and order of sums: rows.cuh. dz and dresidual may be dy: a thread reads
/// first.
template <class T, bool kHasRelu>
__global__ void __launch_bounds__(kRowThreads)
    epilogue_backward_kernel(Conv2dEpilogueBackwardArgs<T> args, std::int64_t chunk, float* partial) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, args.rows);
  const auto scale = of_channels<N>(args.scale, args.channels, 1.0f);
  float sums[N] = {};
  const auto row = [&](auto access, std::int64_t i, Packed<T, N> gradient, const auto&... y) {
#pragma unroll
    for (int j = 0; j < N; ++j) {
      // dy where the relu let the value through, which is dresidual as well.
      ((gradient[j] = Relu::backward(float(y[j]), gradient[j])), ...);
      sums[j] += float(gradient[j]);
    }
    if (args.dresidual) access.write(args.dresidual + i, gradient);
    // dz. dy has been read and is no longer needed, so dz may lie where it lay.
    if (!args.dz) return;
#pragma unroll
    for (int j = 0; j < N; ++j) gradient[j] = to<T>(float(gradient[j]) * scale[j]);
    access.write(args.dz + i, gradient);
  };
  const bool packed = is_packed<N>(args.dz, args.dresidual);
  if constexpr (kHasRelu) {
    for_each_row<N>(begin, end, args.channels, packed, row, args.dy, args.y);
  } else {
    for_each_row<N>(begin, end, args.channels, packed, row, args.dy);
  }
  // The same for all threads, so that the whole block comes to the barriers of store_partial.
  if (partial) store_partial(sums, args.channels, partial);
}

}  // namespace

template <class T>
void conv2d_epilogue(std::int64_t rows, int channels, const T* z, const Conv2dEpilogue<T>& epilogue, T* y) {
  const RowCut cut = cut_for_map<kPack<T>>(rows, channels);
  launch(epilogue.residual ? epilogue_kernel<T, true> : epilogue_kernel<T, false>,
         {.grid = cut.grid, .block = cut.block}, rows, cut.rows, channels, z, epilogue, y);
}

template <class T>
void conv2d_scaled_weights(int out_channels, int row, const T* w, const float* scale, T* result) {
  const RowCut cut = row_block<kPack<T>>(row);
  launch(scale_weights_kernel<T>, {.grid = in_chunks(cut, out_channels, cut.block.y).grid, .block = cut.block},
         out_channels, row, w, scale, result);
}

template <class T>
void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<T>& args) {
  const RowCut cut = cut_for_sums<kPack<T>>(args.rows, args.channels);
  const std::int64_t chunks = cut.grid.x;
  const Scratch<float> partial(args.dbias ? chunks * args.channels : 0);
  launch(args.y ? epilogue_backward_kernel<T, true> : epilogue_backward_kernel<T, false>,
         {.grid = cut.grid, .block = cut.block}, args, cut.rows, partial.data());
  if (args.dbias) column_totals(chunks, args.channels, partial.data(), args.dbias);
}

template void conv2d_epilogue(std::int64_t, int, const float*, const Conv2dEpilogue<float>&, float*);
template void conv2d_epilogue(std::int64_t, int, const bf16*, const Conv2dEpilogue<bf16>&, bf16*);
template void conv2d_scaled_weights(int, int, const float*, const float*, float*);
template void conv2d_scaled_weights(int, int, const bf16*, const float*, bf16*);
template void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<float>&);
template void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<bf16>&);

}  // namespace diopter::cuda
