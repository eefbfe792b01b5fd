#include "kernels/detection/weighting/class_focusing.h"

#include <cmath>
#include <vector>

#include "kernels/detection/head_cut.h"

namespace diopter::cpu {

template <class T>
void class_gradients(const ClassGradientsArgs<T>& args) {
  constexpr std::int64_t kChunk = 1 << 16;  // gradients
  const HeadLevels<T>& heads = args.gradients;
  const int classes = heads.channels;
  const std::vector<HeadChunk> chunks = head_chunks(heads, kChunk);
  std::vector<std::vector<double>> of_chunk(chunks.size());
  parallel_for(static_cast<std::int64_t>(chunks.size()), 1, [&](std::int64_t i, std::int64_t) {
    const HeadChunk& chunk = chunks[i];
    const HeadLevel<T>& level = heads.level[chunk.level];
    const std::int32_t* labels = args.labels + chunk.image * heads.anchors() + chunk.anchor;
    const T* dx = level.gradient + (chunk.image * level.pixels + chunk.pixel) * level.pixel_stride;
    std::vector<double>& sums = of_chunk[i];
    sums.resize(2 * std::size_t(classes));
    for (std::int64_t a = 0; a < chunk.pixels * heads.cells; ++a) {
      const T* row = dx + a / heads.cells * level.pixel_stride + a % heads.cells * classes;
      for (int k = 0; k < classes; ++k) {
        sums[k == labels[a] ? k : classes + k] += static_cast<double>(std::fabs(static_cast<float>(row[k])));
      }
    }
  });
  // In the order of the chunks: the same bits for any number of threads.
  std::vector<double> total(2 * std::size_t(classes));
  for (const std::vector<double>& sums : of_chunk) {
    for (std::size_t i = 0; i < total.size(); ++i) total[i] += sums[i];
  }
  for (std::size_t i = 0; i < total.size(); ++i) args.sums[i] = static_cast<float>(total[i]);
}

template void class_gradients(const ClassGradientsArgs<float>&);
template void class_gradients(const ClassGradientsArgs<bf16>&);

void class_focusing(const ClassFocusingArgs& args) {
  for (int k = 0; k < args.classes; ++k) args.more[k] = focusing_of_class(args, k);
}

}  // namespace diopter::cpu
