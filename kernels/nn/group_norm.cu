#include "kernels/nn/group_norm.h"

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/nn/norm_rows.cuh"

// As batch_norm.cu, but the rows are cut into pieces of one image each, and what is added up are the pieces of an image
// and the channels of a group. A block works on one piece; mapping and order of sums within it: rows.cuh; the loops
// over rows: norm_rows.cuh. Each launch sees what the one before it wrote, and within a launch no two threads write the
// same place.
namespace diopter::cuda {

namespace {

/// All images cut into pieces of at most `size` rows.
struct Pieces {
  Levels levels;
  int size;

  __host__ __device__ std::int64_t pixels(int level) const {
    return std::int64_t{levels.level[level].h} * levels.level[level].w;
  }
  /// Pieces of one image of a level.
  __host__ __device__ std::int64_t per_image(int level) const { return (pixels(level) + size - 1) / size; }
  __host__ __device__ std::int64_t count() const {
    std::int64_t pieces = 0;
    for (int l = 0; l < levels.count; ++l) pieces += levels.level[l].n * per_image(l);
    return pieces;
  }
  __host__ __device__ int images() const {
    int images = 0;
    for (int l = 0; l < levels.count; ++l) images += levels.level[l].n;
    return images;
  }
};

/// The rows [begin, end) of one piece, and its image.
struct Piece {
  std::int64_t begin, end;
  int image;
};

__device__ Piece find_piece(const Pieces& pieces, std::int64_t index) {
  std::int64_t row = 0;
  int image = 0, l = 0;
  for (;; ++l) {
    const std::int64_t here = pieces.levels.level[l].n * pieces.per_image(l);
    if (index < here) break;
    index -= here;
    row += pieces.levels.level[l].rows();
    image += pieces.levels.level[l].n;
  }
  const std::int64_t within = index / pieces.per_image(l), pixels = pieces.pixels(l);
  const std::int64_t first = row + within * pixels, begin = first + index % pieces.per_image(l) * pieces.size;
  return {begin, min(begin + pieces.size, first + pixels), image + static_cast<int>(within)};
}

/// The pieces [begin, end) of one image, and the number of its pixels.
struct ImagePieces {
  std::int64_t begin, end, pixels;
};

__device__ ImagePieces pieces_of_image(const Pieces& pieces, int image) {
  std::int64_t begin = 0;
  int l = 0;
  for (; image >= pieces.levels.level[l].n; ++l) {
    begin += pieces.levels.level[l].n * pieces.per_image(l);
    image -= pieces.levels.level[l].n;
  }
  begin += image * pieces.per_image(l);
  return {begin, begin + pieces.per_image(l), pieces.pixels(l)};
}

/// The mean and rstd (or any value per group) of each of N channels from `first` on.
template <int N>
__device__ Packed<float, N> of_groups(const float* values, int image, int first, int channels, int groups) {
  Packed<float, N> result = {};
  for (int j = 0; j < N && first + j < channels; ++j) {
    result[j] = values[std::int64_t{image} * groups + (first + j) / (channels / groups)];
  }
  return result;
}

constexpr int kGroupThreads = 64;

/// Sum over the pieces of an image and the channels of a group of term(partial, channel), in the threads with
/// threadIdx.y == 0. Block (image, group) of one column of threads; element after element in turns. All must call.
template <class S, class Partial, class Term>
__device__ S group_total(const ImagePieces& image, int channels, int groups, const Partial* partial, Term term) {
  const int width = channels / groups, first = static_cast<int>(blockIdx.y) * width;
  S mine[1] = {};
  for (std::int64_t i = threadIdx.y; i < (image.end - image.begin) * width; i += blockDim.y) {
    const int c = first + static_cast<int>(i % width);
    mine[0] += term(partial[(image.begin + i / width) * channels + c], c);
  }
  add_up_columns(mine);
  return mine[0];
}

/// partial[piece, channel] = moments of x over the rows of a piece. One pass over x.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    moments_kernel(GroupNormForwardArgs<T> args, __grid_constant__ const Pieces pieces, Moments<float>* partial) {
  constexpr int N = kPack<T>;
  const Piece piece = find_piece(pieces, blockIdx.x);
  Moments<float> mine[N] = {};
  add_moments(piece.begin, piece.end, args.channels, args.x, mine);
  store_partial(mine, args.channels, partial);
}

/// mean and rstd of an image and group, block (image, group), from the partial results, in double.
template <class T>
__global__ void __launch_bounds__(kGroupThreads)
    forward_statistics_kernel(GroupNormForwardArgs<T> args, __grid_constant__ const Pieces pieces,
                              const Moments<float>* partial) {
  const int image = static_cast<int>(blockIdx.x);
  const auto moments = group_total<Moments<double>>(pieces_of_image(pieces, image), args.channels, args.groups, partial,
                                                    [](const Moments<float>& m, int) { return m; });
  if (threadIdx.y != 0) return;
  const std::int64_t group = std::int64_t{image} * args.groups + blockIdx.y;
  args.mean[group] = static_cast<float>(moments.mean);
  args.rstd[group] = static_cast<float>(1.0 / sqrt(moments.variance() + args.eps));
}

/// y = x scale + shift of the channel and image. Each element stands alone.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    forward_kernel(GroupNormForwardArgs<T> args, __grid_constant__ const Pieces pieces) {
  constexpr int N = kPack<T>;
  const Piece piece = find_piece(pieces, blockIdx.x);
  const int c = first_channel<N>();
  const auto mean = of_groups<N>(args.mean, piece.image, c, args.channels, args.groups);
  const auto rstd = of_groups<N>(args.rstd, piece.image, c, args.channels, args.groups);
  auto scale = read<N>(args.gamma + c, args.channels - c), shift = read<N>(args.beta + c, args.channels - c);
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const NormMap map = norm_map(mean[j], rstd[j], scale[j], shift[j]);
    scale[j] = map.scale;
    shift[j] = map.shift;
  }
  scale_and_shift(piece.begin, piece.end, args.channels, args.x, scale, shift, args.y);
}

/// partial[piece, channel] = sums of dy and of dy xhat over the rows of a piece.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    products_kernel(GroupNormBackwardArgs<T> args, __grid_constant__ const Pieces pieces, Pair<float>* partial) {
  constexpr int N = kPack<T>;
  const Piece piece = find_piece(pieces, blockIdx.x);
  const int c = first_channel<N>();
  const auto mean = of_groups<N>(args.mean, piece.image, c, args.channels, args.groups);
  const auto rstd = of_groups<N>(args.rstd, piece.image, c, args.channels, args.groups);
  Pair<float> mine[N] = {};
  add_norm_products(piece.begin, piece.end, args.channels, args.x, args.dy, mean, mine);
#pragma unroll
  for (int j = 0; j < N; ++j) mine[j].b *= rstd[j];
  store_partial(mine, args.channels, partial);
}

/// dbeta and dgamma of a channel: its partial sums of all pieces, in double.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    parameter_gradients_kernel(GroupNormBackwardArgs<T> args, std::int64_t pieces, const Pair<float>* partial) {
  const auto sums = column_total<Pair<double>>(pieces, args.channels, partial);
  const int c = total_column();
  if (threadIdx.y != 0 || c >= args.channels) return;
  args.dbeta[c] = static_cast<float>(sums.a);
  args.dgamma[c] = static_cast<float>(sums.b);
}

/// Of an image and group, block (image, group): b and d of dx = gamma rstd dy + b (x - mean) + d, sums in double.
template <class T>
__global__ void __launch_bounds__(kGroupThreads)
    backward_statistics_kernel(GroupNormBackwardArgs<T> args, __grid_constant__ const Pieces pieces,
                               const Pair<float>* partial, float* b, float* d) {
  const int image = static_cast<int>(blockIdx.x);
  const ImagePieces own = pieces_of_image(pieces, image);
  const auto sums = group_total<Pair<double>>(own, args.channels, args.groups, partial, [&](Pair<float> p, int c) {
    const double gamma = args.gamma[c];
    return Pair<double>{gamma * p.a, gamma * p.b};
  });
  if (threadIdx.y != 0) return;
  const std::int64_t group = std::int64_t{image} * args.groups + blockIdx.y;
  const double rstd = args.rstd[group], count = static_cast<double>(own.pixels) * (args.channels / args.groups);
  const auto through = statistics_gradient(rstd, count, sums.a, sums.b);
  b[group] = through.b;
  d[group] = through.d;
}

/// dx = gamma rstd dy + b (x - mean) + d. Each element stands alone: dx may be dy.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    backward_kernel(GroupNormBackwardArgs<T> args, __grid_constant__ const Pieces pieces, const float* b,
                    const float* d) {
  constexpr int N = kPack<T>;
  const Piece piece = find_piece(pieces, blockIdx.x);
  const int c = first_channel<N>();
  const auto mean = of_groups<N>(args.mean, piece.image, c, args.channels, args.groups);
  const auto slope = of_groups<N>(b, piece.image, c, args.channels, args.groups);
  const auto offset = of_groups<N>(d, piece.image, c, args.channels, args.groups);
  const auto gamma = read<N>(args.gamma + c, args.channels - c);
  auto scale = of_groups<N>(args.rstd, piece.image, c, args.channels, args.groups);
#pragma unroll
  for (int j = 0; j < N; ++j) scale[j] *= gamma[j];
  norm_gradient(piece.begin, piece.end, args.channels, args.x, args.dy, scale, slope, offset, mean, args.dx);
}

/// How the images are cut for a block of threads, 16 rows per thread.
template <int N>
struct ImageCut {
  RowCut rows;
  Pieces pieces;
  std::int64_t count;

  ImageCut(const Levels& levels, int channels, int groups) {
    DIOPTER_CHECK(groups >= 1 && channels % groups == 0, "group norm: ", channels, " channels in ", groups, " groups");
    rows = row_block<N>(channels);
    pieces = {levels, static_cast<int>(16 * rows.block.y)};
    count = pieces.count();
    rows.grid.x = blocks_for(count, 1);
  }
  LaunchConfig each_piece() const { return {.grid = rows.grid, .block = rows.block}; }
  LaunchConfig each_group(int groups) const {
    return {.grid = {static_cast<unsigned>(pieces.images()), static_cast<unsigned>(groups)},
            .block = {1, kGroupThreads}};
  }
};

}  // namespace

template <class T>
void group_norm_forward(const GroupNormForwardArgs<T>& args) {
  const ImageCut<kPack<T>> cut(args.levels, args.channels, args.groups);
  const Scratch<Moments<float>> partial(cut.count * args.channels);
  launch(moments_kernel<T>, cut.each_piece(), args, cut.pieces, partial.data());
  launch(forward_statistics_kernel<T>, cut.each_group(args.groups), args, cut.pieces, partial.data());
  launch(forward_kernel<T>, cut.each_piece(), args, cut.pieces);
}

template <class T>
void group_norm_backward(const GroupNormBackwardArgs<T>& args) {
  const ImageCut<kPack<T>> cut(args.levels, args.channels, args.groups);
  const Scratch<Pair<float>> partial(cut.count * args.channels);
  const std::int64_t images_and_groups = std::int64_t{cut.pieces.images()} * args.groups;
  const Scratch<float> b(images_and_groups), d(images_and_groups);
  launch(products_kernel<T>, cut.each_piece(), args, cut.pieces, partial.data());
  launch(parameter_gradients_kernel<T>, {.grid = total_grid(args.channels), .block = total_block()}, args, cut.count,
         partial.data());
  launch(backward_statistics_kernel<T>, cut.each_group(args.groups), args, cut.pieces, partial.data(), b.data(),
         d.data());
  launch(backward_kernel<T>, cut.each_piece(), args, cut.pieces, b.data(), d.data());
}

template void group_norm_forward(const GroupNormForwardArgs<float>&);
template void group_norm_forward(const GroupNormForwardArgs<bf16>&);
template void group_norm_backward(const GroupNormBackwardArgs<float>&);
template void group_norm_backward(const GroupNormBackwardArgs<bf16>&);

}  // namespace diopter::cuda
