#include "kernels/nn/pictures.h"

#include "kernels/toolkit/launch.cuh"

namespace diopter::cuda {

namespace {

constexpr int kThreads = 256;
constexpr int kPixels = 4;

/// A block takes kThreads * kPixels pixels of the input of image blockIdx.y, a thread every kThreads-th of them. Shared
/// memory: what the 256 bytes of the image become in each channel, 3 KB, so that no pixel needs a division.
__global__ void __launch_bounds__(kThreads) pictures_kernel(const __grid_constant__ PictureArgs args) {
  __shared__ float table[3][kThreads];
  static_assert(kThreads == 256, "a byte for each thread");
  const PictureBytes picture = args.pictures[blockIdx.y];
  const int byte = static_cast<int>(threadIdx.x);
  for (int c = 0; c < 3; ++c) table[c][byte] = PixelTable::entry(picture.colours, args.norm, byte, c);
  __syncthreads();
  const PixelTable normalised(picture.colours, args.norm, table);
  const std::int64_t pixels = std::int64_t{args.height} * args.width;
  float* y = args.y + blockIdx.y * pixels * 3;
  for (int p = 0; p < kPixels; ++p) {
    const std::int64_t pixel = (std::int64_t{blockIdx.x} * kPixels + p) * kThreads + threadIdx.x;
    if (pixel >= pixels) return;
    const int row = static_cast<int>(pixel / args.width), column = static_cast<int>(pixel - row * args.width);
    input_pixel(args, picture, row, column, normalised, y + 3 * pixel);
  }
}

}  // namespace

void pictures_to_input(const PictureArgs& args) {
  const std::int64_t pixels = std::int64_t{args.height} * args.width;
  launch(pictures_kernel,
         {.grid = {blocks_for(pixels, kThreads * kPixels), static_cast<unsigned>(args.images)}, .block = kThreads},
         args);
}

}  // namespace diopter::cuda
