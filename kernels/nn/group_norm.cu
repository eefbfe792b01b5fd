#include "kernels/nn/group_norm.h"

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/nn/norm_rows.cuh"
#include "kernels/toolkit/divider.h"

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

/// y = x scale + shift of N channels of an image.
template <int N>
struct ChannelMaps {
  Packed<float, N> scale, shift;
};

/// Those of this thread, from the arguments of either direction.
template <int N, class Args>
__device__ ChannelMaps<N> channel_maps(const Args& args, int image) {
  const int c = first_channel<N>();
  const auto mean = of_groups<N>(args.mean, image, c, args.channels, args.groups);
  const auto rstd = of_groups<N>(args.rstd, image, c, args.channels, args.groups);
  const auto gamma = read<N>(args.gamma + c, args.channels - c), beta = read<N>(args.beta + c, args.channels - c);
  ChannelMaps<N> maps;
#pragma unroll
  for (int j = 0; j < N; ++j) {
    const NormMap map = norm_map(mean[j], rstd[j], gamma[j], beta[j]);
    maps.scale[j] = map.scale;
    maps.shift[j] = map.shift;
  }
  return maps;
}

/// What lets the gradient of an image through.
template <int N, bool kHasRelu, class T>
__device__ auto gradient_pass(const GroupNormBackwardArgs<T>& args, int image) {
  if constexpr (kHasRelu) {
    const ChannelMaps<N> maps = channel_maps<N>(args, image);
    return ReluPass<T, Packed<float, N>>{maps.scale, maps.shift};
  } else {
    return AllPass{};
  }
}

constexpr int kGroupThreads = 64;

/// Sum over the pieces of an image and the `width` channels of a group of term(partial, channel), in the threads with
/// threadIdx.y == 0. Block (image, group) of one column of threads; element after element in turns. All must call.
template <class S, class Partial, class Term>
__device__ S group_total(const ImagePieces& image, int channels, Divider width, const Partial* partial, Term term) {
  const std::uint32_t first = blockIdx.y * width.divisor();
  const std::uint32_t count = static_cast<std::uint32_t>(image.end - image.begin) * width.divisor();
  S mine[1] = {};
  for (std::uint32_t i = threadIdx.y; i < count; i += blockDim.y) {
    const std::uint32_t piece = width.quotient(i), c = first + i - piece * width.divisor();
    mine[0] += term(partial[(image.begin + piece) * channels + c], static_cast<int>(c));
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
    forward_statistics_kernel(GroupNormForwardArgs<T> args, __grid_constant__ const Pieces pieces, Divider width,
                              const Moments<float>* partial) {
  const int image = static_cast<int>(blockIdx.x);
  const ImagePieces own = pieces_of_image(pieces, image);
  const bool empty = own.begin == own.end;
  const double reference = empty ? 0.0f : partial[own.begin * args.channels + blockIdx.y * width.divisor()].mean;
  const auto sums = group_total<MomentSums>(own, args.channels, width, partial, [=](const Moments<float>& set, int) {
    return MomentSums::of(set, reference);
  });
  if (threadIdx.y != 0) return;
  const Moments<double> moments = sums.about(reference);
  const std::int64_t group = std::int64_t{image} * args.groups + blockIdx.y;
  args.mean[group] = static_cast<float>(moments.mean);
  args.rstd[group] = static_cast<float>(1.0 / sqrt(moments.variance() + args.eps));
}

/// y = x scale + shift of the channel and image, or its ReLU. Each element stands alone.
template <class T>
__global__ void __launch_bounds__(kRowThreads)
    forward_kernel(GroupNormForwardArgs<T> args, __grid_constant__ const Pieces pieces) {
  constexpr int N = kPack<T>;
  const Piece piece = find_piece(pieces, blockIdx.x);
  const ChannelMaps<N> maps = channel_maps<N>(args, piece.image);
  scale_and_shift(piece.begin, piece.end, args.channels, args.x, maps.scale, maps.shift, args.y,
                  args.relu ? kRelu : kNoRelu);
}

/// partial[piece, channel] = sums of dy and of dy xhat over the rows of a piece.
template <class T, bool kHasRelu>
__global__ void __launch_bounds__(kRowThreads)
    products_kernel(GroupNormBackwardArgs<T> args, __grid_constant__ const Pieces pieces, Pair<float>* partial) {
  constexpr int N = kPack<T>;
  const Piece piece = find_piece(pieces, blockIdx.x);
  const int c = first_channel<N>();
  const auto mean = of_groups<N>(args.mean, piece.image, c, args.channels, args.groups);
  Pair<float> mine[N] = {};
  add_norm_products(piece.begin, piece.end, args.channels, args.x, args.dy, mean, mine,
                    gradient_pass<N, kHasRelu>(args, piece.image));
  const auto rstd = of_groups<N>(args.rstd, piece.image, c, args.channels, args.groups);
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
    backward_statistics_kernel(GroupNormBackwardArgs<T> args, __grid_constant__ const Pieces pieces, Divider width,
                               const Pair<float>* partial, float* b, float* d) {
  const int image = static_cast<int>(blockIdx.x);
  const ImagePieces own = pieces_of_image(pieces, image);
  const auto sums = group_total<Pair<double>>(own, args.channels, width, partial, [&](Pair<float> p, int c) {
    const double gamma = args.gamma[c];
    return Pair<double>{gamma * p.a, gamma * p.b};
  });
  if (threadIdx.y != 0) return;
  const std::int64_t group = std::int64_t{image} * args.groups + blockIdx.y;
  const double rstd = args.rstd[group], count = static_cast<double>(own.pixels) * width.divisor();
  const auto through = statistics_gradient(rstd, count, sums.a, sums.b);
  b[group] = through.b;
  d[group] = through.d;
}

/// dx = gamma rstd dy + b (x - mean) + d. Each element stands alone: dx may be dy.
template <class T, bool kHasRelu>
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
  norm_gradient(piece.begin, piece.end, args.channels, args.x, args.dy, scale, slope, offset, mean, args.dx,
                gradient_pass<N, kHasRelu>(args, piece.image));
}

/// How the images are cut for a block of threads, 16 rows per thread.
template <int N>
struct ImageCut {
  RowCut rows;
  Pieces pieces;
  std::int64_t count;
  Divider width;  // channels of a group

  ImageCut(const Levels& levels, int channels, int groups) {
    DIOPTER_CHECK(groups >= 1 && channels % groups == 0, "group norm: ", channels, " channels in ", groups, " groups");
    rows = row_block<N>(channels);
    pieces = {levels, static_cast<int>(16 * rows.block.y)};
    count = pieces.count();
    DIOPTER_CHECK(count * channels <= INT32_MAX, "group norm: ", levels.rows(), " rows of ", channels,
                  " channels are too many");
    width = Divider(static_cast<std::uint32_t>(channels / groups));
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
  launch(forward_statistics_kernel<T>, cut.each_group(args.groups), args, cut.pieces, cut.width, partial.data());
  launch(forward_kernel<T>, cut.each_piece(), args, cut.pieces);
}

template <class T>
void group_norm_backward(const GroupNormBackwardArgs<T>& args) {
  const ImageCut<kPack<T>> cut(args.levels, args.channels, args.groups);
  const Scratch<Pair<float>> partial(cut.count * args.channels);
  const std::int64_t images_and_groups = std::int64_t{cut.pieces.images()} * args.groups;
  const Scratch<float> b(images_and_groups), d(images_and_groups);
  launch(args.relu ? products_kernel<T, true> : products_kernel<T, false>, cut.each_piece(), args, cut.pieces,
         partial.data());
  launch(parameter_gradients_kernel<T>, {.grid = total_grid(args.channels), .block = total_block()}, args, cut.count,
         partial.data());
  launch(backward_statistics_kernel<T>, cut.each_group(args.groups), args, cut.pieces, cut.width, partial.data(),
         b.data(), d.data());
  launch(args.relu ? backward_kernel<T, true> : backward_kernel<T, false>, cut.each_piece(), args, cut.pieces, b.data(),
         d.data());
}

template void group_norm_forward(const GroupNormForwardArgs<float>&);
template void group_norm_forward(const GroupNormForwardArgs<bf16>&);
template void group_norm_backward(const GroupNormBackwardArgs<float>&);
template void group_norm_backward(const GroupNormBackwardArgs<bf16>&);

}  // namespace diopter::cuda
