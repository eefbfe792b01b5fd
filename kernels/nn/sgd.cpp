#include "kernels/nn/sgd.h"

#include <algorithm>

#include "kernels/base/parallel.h"
#include "kernels/toolkit/widest_vectors.h"

namespace diopter::cpu {

namespace {

/// The step for values [begin, end) of one segment.
void step(const SgdArgs& args, const SgdSegment& s, std::int64_t begin, std::int64_t end) {
  const SgdUpdate update(args, s);
  float *w = s.w, *velocity = s.velocity;
  const float* gradient = s.gradient;
  for (std::int64_t i = begin; i < end; ++i) {
    float value = w[i], v = velocity[i];  // in registers, so that the loop vectorises
    update(gradient[i], value, v);
    velocity[i] = v;
    w[i] = value;
  }
  if (s.copy) {
    for (std::int64_t i = begin; i < end; ++i) s.copy[i] = bf16(w[i]);
  }
}

}  // namespace

void sgd_control(const SgdControlArgs& args) { control_sgd(args); }

void sgd_step(const SgdArgs& args) {
  if (args.skip && *args.skip) return;
  parallel_for(args.chunks, 8, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t chunk = first; chunk < last; ++chunk) {
      const SgdSegment& segment = segment_of_chunk(args.segments, args.segment_count, chunk);
      const std::int64_t begin = (chunk - segment.first_chunk) * kParameterChunk;
      const std::int64_t end = std::min(begin + kParameterChunk, segment.count);
      with_widest_vectors([&] { step(args, segment, begin, end); });
    }
  });
}

}  // namespace diopter::cpu
