#include "kernels/detection/classification_loss.h"

#include <algorithm>
#include <vector>

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

/// The same of a loss that focuses by class, of which there is one per class: class by class, a block of anchors at a
/// time.
template <class T>
double rows_loss_by_class(const std::vector<LossFunctions>& of_class, const T* x, T* dx, const std::int32_t* labels,
                          const float* class_weights, std::int64_t rows, float scale) {
  const std::int64_t classes = std::ssize(of_class);
  double sum = 0;
  for (std::int64_t begin = 0; begin < rows; begin += kLossBlock) {
    const int n = static_cast<int>(std::min<std::int64_t>(kLossBlock, rows - begin));
    for (int i = 0; i < n; ++i) check_label(labels[begin + i], classes);
    for (std::int64_t k = 0; k < classes; ++k) {
      float logits[kLossBlock] = {}, targets[kLossBlock] = {};
      for (int i = 0; i < n; ++i) {
        logits[i] = static_cast<float>(x[(begin + i) * classes + k]);
        targets[i] = labels[begin + i] == k;
      }
      LossBlock block;
      of_class[k].elements_of(of_class[k].loss.get(), logits, targets, in_whole_vectors(n), block);
      for (int i = 0; i < n; ++i) {
        T* gradient = dx ? dx + (begin + i) * classes + k : nullptr;
        if (labels[begin + i] == kIgnore) {
          if (gradient) *gradient = T(0.0f);
          continue;
        }
        const float weight = targets[i] > 0 && class_weights ? class_weights[k] : 1.0f;
        sum += double{weight * block.values[i]};
        if (gradient) *gradient = T(scale * (weight * block.derivatives[i]));
      }
    }
  }
  return sum;
}

}  // namespace

template <class T>
void classification_loss(const ClassificationLossArgs<T>& args, const AnyLoss& any_loss) {
  const LossFunctions loss = cpu::loss_functions(any_loss, args.density_weights);
  const HeadLevels<T>& heads = args.logits;
  std::vector<LossFunctions> of_class;
  for (int k = 0; args.class_focusing && k < heads.channels; ++k) {
    of_class.push_back(cpu::loss_functions(loss_of_class(any_loss, args.class_focusing[k])));
  }
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
      const T* x = level.values + first + i * level.pixel_stride;
      T* dx = level.gradient ? level.gradient + first + i * level.pixel_stride : nullptr;
      if (!of_class.empty()) {
        sum += rows_loss_by_class(of_class, x, dx, labels + i * rows, args.class_weights, rows, scale);
      } else {
        sum += rows_loss(loss, x, dx, labels + i * rows, qualities ? qualities + i * rows : nullptr, args.class_weights,
                         rows, row_size, scale);
      }
    }
    return sum;
  });
}

template void classification_loss(const ClassificationLossArgs<float>&, const AnyLoss&);
template void classification_loss(const ClassificationLossArgs<bf16>&, const AnyLoss&);

}  // namespace diopter::cpu
