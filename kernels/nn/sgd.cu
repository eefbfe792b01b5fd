#include "kernels/nn/sgd.h"

#include <algorithm>

#include "kernels/nn/packed.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWidth = kPack<float>;  // values that a thread updates at once

/// One block per chunk of 4096 values, whose segment it finds in the table by binary search (8 loads for a ResNet,
/// which other blocks hide); each thread updates 4 neighbouring values at a time. 20 bytes per value: w, gradient and
/// velocity are read, w and velocity written (and 2 for a bf16 copy). No shared memory; every value stands alone.
__global__ void __launch_bounds__(kThreads) sgd_kernel(SgdArgs args) {
  if (args.skip && *args.skip) return;

  // The block's part of its segment; a chunk never reaches into the next one.
  const SgdSegment s = segment_of_chunk(args.segments, args.segment_count, blockIdx.x);
  const std::int64_t begin = (blockIdx.x - s.first_chunk) * kParameterChunk,
                     end = min(begin + kParameterChunk, s.count);
  const SgdUpdate update(args, s);

  // Four values at a time, neighbouring threads side by side: read all three arrays, update, write.
#pragma unroll
  for (int pass = 0; pass < kParameterChunk / (kThreads * kWidth); ++pass) {
    const std::int64_t i = begin + (pass * kThreads + static_cast<int>(threadIdx.x)) * kWidth, count = end - i;
    if (count <= 0) return;
    auto w = read<kWidth>(s.w + i, count), v = read<kWidth>(s.velocity + i, count);
    const auto gradient = read<kWidth>(s.gradient + i, count);
    Packed<bf16, kWidth> copy;
#pragma unroll
    for (int j = 0; j < kWidth; ++j) {
      update(gradient[j], w[j], v[j]);
      copy[j] = to_bf16(w[j]);
    }
    write(s.velocity + i, count, v);
    write(s.w + i, count, w);
    if (s.copy) write(s.copy + i, count, copy);
  }
}

/// One thread.
__global__ void sgd_control_kernel(SgdControlArgs args) { control_sgd(args); }

}  // namespace

void sgd_control(const SgdControlArgs& args) { launch(sgd_control_kernel, {.grid = 1, .block = 1}, args); }

void sgd_step(const SgdArgs& args) {
  launch(sgd_kernel, {.grid = blocks_for(args.chunks, 1), .block = kThreads}, args);
}

}  // namespace diopter::cuda
