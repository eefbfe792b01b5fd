#include "kernels/detection/weighting/gradient_density.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "kernels/detection/head_cut.h"
#include "kernels/detection/loss_functions.h"

namespace diopter::cpu {

template <class T>
void gradient_histogram(const GradientHistogramArgs<T>& args, const AnyLoss& any_loss) {
  constexpr std::int64_t kChunk = 1 << 14;  // logits
  const int bins = density_bins(any_loss);
  const LossFunctions loss = cpu::loss_functions(any_loss);
  const HeadLevels<T>& heads = args.logits;
  const std::vector<HeadChunk> chunks = head_chunks(heads, kChunk);
  std::vector<std::atomic<std::int32_t>> counts(bins);
  parallel_for(static_cast<std::int64_t>(chunks.size()), 1, [&](std::int64_t i, std::int64_t) {
    const HeadChunk& chunk = chunks[i];
    const HeadLevel<T>& level = heads.level[chunk.level];
    const std::int32_t* labels = args.labels + chunk.image * heads.anchors() + chunk.anchor;
    const T* x = level.values + (chunk.image * level.pixels + chunk.pixel) * level.pixel_stride;
    std::int32_t of_chunk[kMostDensityBins] = {};
    for (std::int64_t a = 0; a < chunk.pixels * heads.cells; ++a) {
      if (labels[a] == kIgnore) continue;
      const T* row = x + a / heads.cells * level.pixel_stride + a % heads.cells * heads.channels;
      loss.for_each_derivative(row, labels[a], heads.channels,
                               [&](float derivative) { ++of_chunk[density_bin(derivative, bins)]; });
    }
    for (int b = 0; b < bins; ++b) counts[b] += of_chunk[b];
  });
  std::copy(counts.begin(), counts.end(), args.counts);
}

template void gradient_histogram(const GradientHistogramArgs<float>&, const AnyLoss&);
template void gradient_histogram(const GradientHistogramArgs<bf16>&, const AnyLoss&);

void density_weights(const DensityWeightsArgs& args) { compute_density_weights(args); }

}  // namespace diopter::cpu
