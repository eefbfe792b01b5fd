// What surrounds the convolutions on the GPU. The convolutions themselves are in conv2d_cudnn.cpp, or conv2d_host.cpp
// where the host executor stands in for a GPU.
#include "kernels/nn/conv2d.h"

#include "kernels/common/scratch.h"
#include "kernels/nn/rows.cuh"

namespace diopter::cuda {

namespace {

/// dz, dresidual and, where partial is not null, partial[chunk, channel] = sum of dy [y > 0] over the rows of a chunk, all
/// in one pass over dy and y. Mapping and order of sums: rows.cuh. dz and dresidual may be dy: a thread reads first.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
epilogue_backward_kernel(Conv2dEpilogueBackwardArgs<T> args, std::int64_t chunk, float* partial) {
  constexpr int N = kPack<T>;
  const std::int64_t begin = blockIdx.x * chunk, end = min(begin + chunk, args.rows);
  const int c = first_channel<N>();
  Packed<float, N> scale;
#pragma unroll
  for (int j = 0; j < N; ++j) scale[j] = 1.0f;
  if (args.scale) scale = read<N>(args.scale + c, args.channels - c);
  float sums[N] = {};
  for_each_row<N>(begin, end, args.channels, [&](std::int64_t i, int count) {
    auto gradient = read<N>(args.dy + i, count);
    if (args.y) {
      const auto y = read<N>(args.y + i, count);
#pragma unroll
      for (int j = 0; j < N; ++j) gradient[j] = float(y[j]) > 0.0f ? gradient[j] : T(0.0f);
    }
#pragma unroll
    for (int j = 0; j < N; ++j) sums[j] += float(gradient[j]);
    if (args.dresidual) write(args.dresidual + i, count, gradient);
    if (!args.dz) return;
#pragma unroll
    for (int j = 0; j < N; ++j) gradient[j] = to<T>(float(gradient[j]) * scale[j]);
    write(args.dz + i, count, gradient);
  });
  if (partial) store_partial(sums, args.channels, partial);
}

}  // namespace

template <class T>
void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<T>& args) {
  const RowCut cut = cut_for_sums<kPack<T>>(args.rows, args.channels);
  const std::int64_t chunks = cut.grid.x;
  const Scratch<float> partial(args.dbias ? chunks * args.channels : 0);
  launch(epilogue_backward_kernel<T>, {.grid = cut.grid, .block = cut.block}, args, cut.rows, partial.data());
  if (args.dbias) column_totals(chunks, args.channels, partial.data(), args.dbias);
}

template void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<float>&);
template void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<bf16>&);

}  // namespace diopter::cuda
