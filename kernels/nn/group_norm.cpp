#include "kernels/nn/group_norm.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/nn/norm_rows.h"

namespace diopter::cpu {

namespace {

/// A piece of the rows of one image, and where the rows of that image are.
struct Piece {
  std::int64_t begin, end;
  int image;
  std::int64_t pixels;

  std::int64_t rows() const { return end - begin; }
};

/// All images cut into pieces of about 2^15 values, in order.
std::vector<Piece> cut(const Levels& levels, int channels) {
  const std::int64_t grain = std::max(1, (1 << 15) / channels);
  std::vector<Piece> pieces;
  std::int64_t row = 0;
  int image = 0;
  for (int l = 0; l < levels.count; ++l) {
    const std::int64_t pixels = std::int64_t{levels.level[l].h} * levels.level[l].w;
    for (int n = 0; n < levels.level[l].n; ++n, ++image, row += pixels) {
      for (std::int64_t begin = 0; begin < pixels; begin += grain) {
        pieces.push_back({row + begin, row + std::min(begin + grain, pixels), image, pixels});
      }
    }
  }
  return pieces;
}

int image_count(const Levels& levels) {
  int images = 0;
  for (int l = 0; l < levels.count; ++l) images += levels.level[l].n;
  return images;
}

/// Calls body(index, piece) for every piece, in parallel.
template <class Body>
void for_each_piece(const std::vector<Piece>& pieces, Body body) {
  parallel_for(static_cast<std::int64_t>(pieces.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) body(i, pieces[i]);
  });
}

/// y = scale[c] x + shift[c] of one image, [channels].
struct ChannelMaps {
  std::vector<float> scale, shift;

  /// From the arguments of either direction.
  template <class Args>
  ChannelMaps(const Args& args, int image) : scale(args.channels), shift(args.channels) {
    const int width = args.channels / args.groups;
    const float *mean = args.mean + image * args.groups, *rstd = args.rstd + image * args.groups;
    for (int c = 0; c < args.channels; ++c) {
      const NormMap map = norm_map(mean[c / width], rstd[c / width], args.gamma[c], args.beta[c]);
      scale[c] = map.scale, shift[c] = map.shift;
    }
  }
};

/// Calls body with what lets the gradient of this image through.
template <class T, class Body>
void with_pass(const GroupNormBackwardArgs<T>& args, int image, Body body) {
  if (!args.relu) return body(AllPass{});
  const ChannelMaps maps(args, image);
  body(ReluPass<T, const float*>{maps.scale.data(), maps.shift.data()});
}

}  // namespace

template <class T>
void group_norm_forward(const GroupNormForwardArgs<T>& args) {
  const int channels = args.channels, groups = args.groups;
  DIOPTER_CHECK(groups >= 1 && channels % groups == 0, "group norm: ", channels, " channels in ", groups, " groups");
  const int width = channels / groups, images = image_count(args.levels);
  const auto pieces = cut(args.levels, channels);

  // Sum and sum of squares of every channel and piece, in double.
  std::vector<double> partial(pieces.size() * 2 * channels);
  for_each_piece(pieces, [&](std::int64_t i, const Piece& piece) {
    double* sum = partial.data() + i * 2 * channels;
    add_moments(piece.rows(), channels, args.x + piece.begin * channels, sum, sum + channels);
  });

  std::vector<double> sums(std::size_t{2} * images * groups), pixels(images, 1.0);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const double *sum = partial.data() + i * 2 * channels, *square = sum + channels;
    pixels[pieces[i].image] = static_cast<double>(pieces[i].pixels);
    for (int c = 0; c < channels; ++c) {
      double* of_group = &sums[2 * (std::size_t(pieces[i].image) * groups + c / width)];
      of_group[0] += sum[c];
      of_group[1] += square[c];
    }
  }
  for (int i = 0; i < images * groups; ++i) {
    const double count = pixels[i / groups] * width;
    const double mean = sums[2 * i] / count, var = std::max(0.0, sums[2 * i + 1] / count - mean * mean);
    args.mean[i] = static_cast<float>(mean);
    args.rstd[i] = static_cast<float>(1.0 / std::sqrt(var + double{args.eps}));
  }

  for_each_piece(pieces, [&](std::int64_t, const Piece& piece) {
    const ChannelMaps maps(args, piece.image);
    const std::int64_t first = piece.begin * channels;
    scale_and_shift(piece.rows(), channels, args.x + first, maps.scale.data(), maps.shift.data(), args.y + first,
                    args.relu ? kRelu : kNoRelu);
  });
}

template <class T>
void group_norm_backward(const GroupNormBackwardArgs<T>& args) {
  const int channels = args.channels, groups = args.groups;
  DIOPTER_CHECK(groups >= 1 && channels % groups == 0, "group norm: ", channels, " channels in ", groups, " groups");
  const int width = channels / groups, images = image_count(args.levels);
  const auto pieces = cut(args.levels, channels);

  // Sums of dy and of dy xhat of every channel and piece.
  std::vector<double> partial(pieces.size() * 2 * channels);
  for_each_piece(pieces, [&](std::int64_t i, const Piece& piece) {
    std::vector<float> mean(channels);
    for (int c = 0; c < channels; ++c) mean[c] = args.mean[piece.image * groups + c / width];
    double *sum = partial.data() + i * 2 * channels, *product = sum + channels;
    const std::int64_t first = piece.begin * channels;
    with_pass(args, piece.image, [&](auto pass) {
      add_norm_products(piece.rows(), channels, args.x + first, args.dy + first, mean.data(), sum, product, pass);
    });
    for (int c = 0; c < channels; ++c) product[c] *= double{args.rstd[piece.image * groups + c / width]};
  });

  std::vector<double> dbeta(channels), dgamma(channels);
  std::vector<double> group_sums(std::size_t{2} * images * groups);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const double *sum = partial.data() + i * 2 * channels, *product = sum + channels;
    for (int c = 0; c < channels; ++c) {
      double* of_group = &group_sums[2 * (std::size_t(pieces[i].image) * groups + c / width)];
      of_group[0] += double{args.gamma[c]} * sum[c];
      of_group[1] += double{args.gamma[c]} * product[c];
      dbeta[c] += sum[c];
      dgamma[c] += product[c];
    }
  }
  std::copy(dbeta.begin(), dbeta.end(), args.dbeta);
  std::copy(dgamma.begin(), dgamma.end(), args.dgamma);

  for_each_piece(pieces, [&](std::int64_t, const Piece& piece) {
    std::vector<float> a(channels), b(channels), d(channels), mean(channels);
    const double count = static_cast<double>(piece.pixels) * width;
    for (int c = 0; c < channels; ++c) {
      const int group = piece.image * groups + c / width;
      const double rstd = args.rstd[group];
      const auto through = statistics_gradient(rstd, count, group_sums[2 * group], group_sums[2 * group + 1]);
      a[c] = static_cast<float>(double{args.gamma[c]} * rstd), b[c] = through.b, d[c] = through.d;
      mean[c] = args.mean[group];
    }
    const std::int64_t first = piece.begin * channels;
    with_pass(args, piece.image, [&](auto pass) {
      norm_gradient(piece.rows(), channels, args.x + first, args.dy + first,
                    {a.data(), b.data(), d.data(), mean.data()}, args.dx + first, pass);
    });
  });
}

template void group_norm_forward(const GroupNormForwardArgs<float>&);
template void group_norm_forward(const GroupNormForwardArgs<bf16>&);
template void group_norm_backward(const GroupNormBackwardArgs<float>&);
template void group_norm_backward(const GroupNormBackwardArgs<bf16>&);

}  // namespace diopter::cpu
