#include "kernels/detection/classification_loss.h"

#include "kernels/detection/head_cut.h"
#include "kernels/detection/loss_rows.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kChunk = 1 << 14;  // logits

template <class T, class Loss>
void loss_of_form(const ClassificationLossArgs<T>& args, const Loss& loss) {
  const HeadLevels<T>& heads = args.logits;
  const std::int64_t row_size = heads.channels, pixel_size = heads.cells * row_size, anchors = heads.anchors();
  sum_per_image(heads, kChunk, args.losses, [&](const HeadChunk& chunk) {
    const HeadLevel<T>& level = heads.level[chunk.level];
    const std::int64_t first = (chunk.image * level.pixels + chunk.pixel) * level.pixel_stride;
    const std::int32_t* labels = args.labels + chunk.image * anchors + chunk.anchor;
    const float scale = level.gradient ? args.scale[chunk.image] : 0.0f;
    const bool gaps = level.pixel_stride != pixel_size;
    const std::int64_t pieces = gaps ? chunk.pixels : 1, rows = chunk.pixels * heads.cells / pieces;
    double sum = 0;
    for (std::int64_t i = 0; i < pieces; ++i) {
      const std::int64_t at = first + i * level.pixel_stride;
      sum += rows_loss(loss, level.values + at, level.gradient ? level.gradient + at : nullptr, labels + i * rows, rows,
                       row_size, scale);
    }
    return sum;
  });
}

}  // namespace

template <class T>
void classification_loss(const ClassificationLossArgs<T>& args, const AnyLoss& loss) {
  std::visit([&](const auto& l) { with_fastest_form(l, [&](const auto& form) { loss_of_form(args, form); }); }, loss);
}

template void classification_loss(const ClassificationLossArgs<float>&, const AnyLoss&);
template void classification_loss(const ClassificationLossArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cpu
