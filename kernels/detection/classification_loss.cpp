#include "kernels/detection/classification_loss.h"

#include "kernels/detection/head_cut.h"
#include "kernels/detection/loss_functions.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kChunkLogits = 1 << 14;  // logits

/// Sum over `rows` anchors whose `classes` logits each lie without gaps; writes their gradient, times scale, unless dx
/// is null. qualities, class_weights: as in the arguments. Almost all anchors are background: consecutive ones are one
/// run of negative logits.
template <class T>
double rows_loss(const LossFunctions& loss, const T* x, T* dx, const std::int32_t* labels, const float* qualities,
                 const float* class_weights, std::int64_t rows, std::int64_t classes, float scale) {
  double sum = 0;
  for (std::int64_t row = 0; row < rows;) {
    const std::int64_t begin = row * classes;
    T* gradient = dx ? dx + begin : nullptr;
    std::int64_t end = row;
    while (end < rows && labels[end] == kBackground) ++end;
    if (end > row) {
      sum += loss.negatives(x + begin, gradient, (end - row) * classes, scale);
      row = end;
    } else {
      loss.add_anchor(sum, x + begin, gradient, labels[row], {qualities ? qualities[row] : 1.0f, class_weights},
                      classes, scale);
      ++row;
    }
  }
  return sum;
}

}  // namespace

template <class T>
void classification_loss(const ClassificationLossArgs<T>& args, const AnyLoss& any_loss) {
  const LossFunctions loss = cpu::loss_functions(any_loss, args.density_weights);
  const HeadLevels<T>& heads = args.logits;
  const std::int64_t row_size = heads.channels, pixel_size = heads.cells * row_size, anchors = heads.anchors();
  sum_per_image(heads, kChunkLogits, args.losses, [&](const HeadChunk& chunk) {
    const HeadLevel<T>& level = heads.level[chunk.level];
    const std::int64_t first = (chunk.image * level.pixels + chunk.pixel) * level.pixel_stride;
    const std::int64_t first_anchor = chunk.image * anchors + chunk.anchor;
    const std::int32_t* labels = args.labels + first_anchor;
    const float* qualities = args.qualities ? args.qualities + first_anchor : nullptr;
    const float scale = level.gradient ? args.scale[chunk.image] : 0.0f;
    // Without padding the rows of all pixels lie in a row; with it, those of one pixel do.
    const bool gaps = level.pixel_stride != pixel_size;
    const std::int64_t pieces = gaps ? chunk.pixels : 1, rows = chunk.pixels * heads.cells / pieces;
    double sum = 0;
    for (std::int64_t i = 0; i < pieces; ++i) {
      const std::int64_t at = first + i * level.pixel_stride;
      sum += rows_loss(loss, level.values + at, level.gradient ? level.gradient + at : nullptr, labels + i * rows,
                       qualities ? qualities + i * rows : nullptr, args.class_weights, rows, row_size, scale);
    }
    return sum;
  });
}

template void classification_loss(const ClassificationLossArgs<float>&, const AnyLoss&);
template void classification_loss(const ClassificationLossArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cpu
