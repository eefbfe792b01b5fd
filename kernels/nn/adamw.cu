#include "kernels/nn/adamw.h"

#include <algorithm>

#include "kernels/nn/packed.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kWidth = kPack<float>;  // values that a thread updates at once

/// One block per chunk of 4096 values, whose segment it finds in the table by binary search; each thread updates 4
/// neighbouring values at a time. 28 bytes per value: w, gradient, m and v are read, w, m and v written (and 2 for a
/// bf16 copy). No shared memory; every value stands alone.
__global__ void __launch_bounds__(kThreads) adamw_kernel(AdamwArgs args) {
  if (args.skip && *args.skip) return;

  // The block's part of its segment; a chunk never reaches into the next one.
  const AdamwSegment s = segment_of_chunk(args.segments, args.segment_count, blockIdx.x);
  const std::int64_t begin = (blockIdx.x - s.first_chunk) * kParameterChunk,
                     end = min(begin + kParameterChunk, s.count);
  const AdamwUpdate update(args, s);

  // Four values at a time, neighbouring threads side by side: read all four arrays, update, write.
#pragma unroll
  for (int pass = 0; pass < kParameterChunk / (kThreads * kWidth); ++pass) {
    const std::int64_t i = begin + (pass * kThreads + static_cast<int>(threadIdx.x)) * kWidth, count = end - i;
    if (count <= 0) return;
    auto w = read<kWidth>(s.w + i, count), m = read<kWidth>(s.m + i, count), v = read<kWidth>(s.v + i, count);
    const auto gradient = read<kWidth>(s.gradient + i, count);
    Packed<bf16, kWidth> copy;
#pragma unroll
    for (int j = 0; j < kWidth; ++j) {
      update(gradient[j], w[j], m[j], v[j]);
      copy[j] = to_bf16(w[j]);
    }
    write(s.m + i, count, m);
    write(s.v + i, count, v);
    write(s.w + i, count, w);
    if (s.copy) write(s.copy + i, count, copy);
  }
}

}  // namespace

void adamw_step(const AdamwArgs& args) {
  launch(adamw_kernel, {.grid = blocks_for(args.chunks, 1), .block = kThreads}, args);
}

}  // namespace diopter::cuda
