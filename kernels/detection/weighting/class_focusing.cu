#include "kernels/detection/weighting/class_focusing.h"

#include <cmath>

#include "kernels/device/scratch.h"
#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

namespace {

constexpr int kClasses = 32, kLanes = 8;  // of a block: a warp takes neighbouring classes of an anchor
constexpr int kAnchors = 1024;            // of a block

/// Gradients of the anchor, counted over all images.
template <class T>
__device__ const T* gradients_of_anchor(const HeadLevels<T>& heads, std::int64_t anchor) {
  const std::int64_t of_image = heads.anchors(), image = anchor / of_image;
  std::int64_t index = anchor - image * of_image;
  int l = 0;
  for (; index >= heads.level[l].pixels * heads.cells; ++l) index -= heads.level[l].pixels * heads.cells;
  return heads.level[l].gradient + heads.offset(l, image, index);
}

/// A block takes kAnchors anchors, blockIdx.x, of kClasses classes, blockIdx.y: a thread has one class of every
/// kLanes-th anchor. block_sums [blocks, 2, classes]. Sums are added in a fixed order. Shared memory: 2 KB.
template <class T>
__global__ void __launch_bounds__(kClasses* kLanes)
    class_gradients_kernel(const __grid_constant__ ClassGradientsArgs<T> args, std::int64_t anchors,
                           float* block_sums) {
  __shared__ float of_lane[2][kLanes][kClasses];
  const int column = threadIdx.x % kClasses, lane = threadIdx.x / kClasses;
  const int classes = args.gradients.channels, k = blockIdx.y * kClasses + column;
  const std::int64_t begin = std::int64_t{blockIdx.x} * kAnchors;
  const std::int64_t end = begin + kAnchors < anchors ? begin + kAnchors : anchors;
  float positives = 0, negatives = 0;
  for (std::int64_t anchor = begin + lane; k < classes && anchor < end; anchor += kLanes) {
    const float size = std::fabs(static_cast<float>(gradients_of_anchor(args.gradients, anchor)[k]));
    if (args.labels[anchor] == k) {
      positives += size;
    } else {
      negatives += size;
    }
  }
  of_lane[0][lane][column] = positives;
  of_lane[1][lane][column] = negatives;
  __syncthreads();
  if (lane >= 2 || k >= classes) return;
  float sum = 0;  // the first two warps: of positives, of negatives
  for (int i = 0; i < kLanes; ++i) sum += of_lane[lane][i][column];
  block_sums[(std::int64_t{blockIdx.x} * 2 + lane) * classes + k] = sum;
}

/// A thread per sum, block after block, in double.
__global__ void class_sums_kernel(int count, int blocks, const float* block_sums, float* sums) {
  const std::int64_t i = thread_index();
  if (i >= count) return;
  double sum = 0;
  for (int b = 0; b < blocks; ++b) sum += static_cast<double>(block_sums[std::int64_t{b} * count + i]);
  sums[i] = static_cast<float>(sum);
}

__global__ void class_focusing_kernel(ClassFocusingArgs args) {
  const std::int64_t k = thread_index();
  if (k < args.classes) args.more[k] = focusing_of_class(args, static_cast<int>(k));
}

}  // namespace

template <class T>
void class_gradients(const ClassGradientsArgs<T>& args) {
  constexpr int kThreads = 256;
  const std::int64_t anchors = args.gradients.images * args.gradients.anchors();
  const int classes = args.gradients.channels, sums = 2 * classes;
  const unsigned blocks = blocks_for(anchors, kAnchors);
  const Scratch<float> block_sums(std::int64_t{blocks} * sums);
  launch(class_gradients_kernel<T>,
         {.grid = {blocks, static_cast<unsigned>((classes + kClasses - 1) / kClasses)}, .block = kClasses * kLanes},
         args, anchors, block_sums.data());
  launch(class_sums_kernel, {.grid = blocks_for(sums, kThreads), .block = kThreads}, sums, static_cast<int>(blocks),
         block_sums.data(), args.sums);
}

template void class_gradients(const ClassGradientsArgs<float>&);
template void class_gradients(const ClassGradientsArgs<bf16>&);

void class_focusing(const ClassFocusingArgs& args) {
  constexpr int kThreads = 256;
  launch(class_focusing_kernel, {.grid = blocks_for(args.classes, kThreads), .block = kThreads}, args);
}

}  // namespace diopter::cuda
