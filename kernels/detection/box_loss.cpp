#include "kernels/detection/box_loss.h"

#include <algorithm>

#include "kernels/detection/head_cut.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kChunkDeltas = 1 << 13;  // deltas

/// Whether none of them is an object's: as in almost every pixel. All are looked at, so that several are at once.
bool all_negative(const std::int32_t* labels, int n) {
  std::int32_t sign = -1;
  for (int i = 0; i < n; ++i) sign &= labels[i];
  return sign < 0;
}

}  // namespace

template <class T>
void box_loss(const BoxLossArgs<T>& args) {
  const HeadLevels<T>& heads = args.deltas;
  const std::int64_t anchors = heads.anchors();
  sum_per_image(heads, kChunkDeltas, args.losses, [&](const HeadChunk& chunk) {
    const HeadLevel<T>& level = heads.level[chunk.level];
    const float scale = level.gradient ? args.scale[chunk.image] : 0.0f;
    const float* truth = args.truth.boxes + std::int64_t{args.truth.offsets[chunk.image]} * 4;
    std::int64_t anchor = chunk.image * anchors + chunk.anchor;  // of the whole batch
    double sum = 0;
    for (std::int64_t pixel = chunk.pixel; pixel < chunk.pixel + chunk.pixels; ++pixel) {
      const std::int64_t at = (chunk.image * level.pixels + pixel) * level.pixel_stride;
      if (level.gradient) std::fill_n(level.gradient + at, heads.cells * 4, T(0.0f));
      if (all_negative(args.labels + anchor, heads.cells)) {
        anchor += heads.cells;
        continue;
      }
      for (int cell = 0; cell < heads.cells; ++cell, ++anchor) {
        if (args.labels[anchor] < 0) continue;
        const T* x = level.values + at + cell * 4;
        const float deltas[4] = {float(x[0]), float(x[1]), float(x[2]), float(x[3])};
        const Box box = args.grid.box(chunk.level, pixel * heads.cells + cell);
        const Box target = box_at(truth, args.matches[anchor]);
        float derivative[4];
        sum += double{box_loss_value(args.kind, args.beta, args.coder, box, target, deltas, derivative)};
        if (args.ious) args.ious[anchor] = box_iou(decode_box(args.coder, box, deltas), target);
        if (!level.gradient) continue;
        for (int i = 0; i < 4; ++i) level.gradient[at + cell * 4 + i] = T(scale * derivative[i]);
      }
    }
    return sum;
  });
}

template void box_loss(const BoxLossArgs<float>&);
template void box_loss(const BoxLossArgs<bf16>&);

}  // namespace diopter::cpu
