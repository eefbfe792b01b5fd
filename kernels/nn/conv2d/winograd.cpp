#include "kernels/nn/conv2d/winograd.h"

#include <algorithm>
#include <atomic>
#include <vector>

#include "kernels/base/parallel.h"
#include "kernels/nn/conv2d/conv2d_epilogue.h"
#include "kernels/nn/conv2d/gemm.h"
#include "kernels/nn/feature_maps.h"
#include "kernels/toolkit/widest_vectors.h"

// Work goes over chunks of tiles, three loops each: transform the inputs, multiply, transform the outputs. Transformed
// values lie as 36 matrices [tiles, channels]. How tiles are cut into chunks depends on shapes only.
namespace diopter::cpu {

namespace {

std::atomic<bool> allowed{true};

constexpr int kOut = 4, kIn = 6, kPoints = kIn * kIn;
constexpr int kLanes = 16;  // channels that a transform works on at once

// One-dimensional transforms of vectors of kLanes channels, `step` floats apart. The interpolation points are 0, 1, -1,
// 2, -2 and infinity.

/// B^T: 6 inputs to 6 points.
struct InputTransform {
  static constexpr int from = kIn, to = kIn;
  static void apply(const float* d, int step, float* v, int v_step) {
    for (int i = 0; i < kLanes; ++i) {
      const float d0 = d[i], d1 = d[i + step], d2 = d[i + 2 * step], d3 = d[i + 3 * step], d4 = d[i + 4 * step],
                  d5 = d[i + 5 * step];
      const float even = d4 - 4 * d2, odd = d3 - 4 * d1, even2 = d4 - d2, odd2 = 2 * (d3 - d1);
      v[i] = 4 * d0 - 5 * d2 + d4;
      v[i + v_step] = even + odd;
      v[i + 2 * v_step] = even - odd;
      v[i + 3 * v_step] = even2 + odd2;
      v[i + 4 * v_step] = even2 - odd2;
      v[i + 5 * v_step] = 4 * d1 - 5 * d3 + d5;
    }
  }
};

/// A^T: 6 points to 4 outputs.
struct OutputTransform {
  static constexpr int from = kIn, to = kOut;
  static void apply(const float* m, int step, float* y, int y_step) {
    for (int i = 0; i < kLanes; ++i) {
      const float m0 = m[i], m1 = m[i + step], m2 = m[i + 2 * step], m3 = m[i + 3 * step], m4 = m[i + 4 * step],
                  m5 = m[i + 5 * step];
      const float sum = m1 + m2, difference = m1 - m2, sum2 = m3 + m4, difference2 = m3 - m4;
      y[i] = m0 + sum + sum2;
      y[i + y_step] = difference + 2 * difference2;
      y[i + 2 * y_step] = sum + 4 * sum2;
      y[i + 3 * y_step] = difference + 8 * difference2 + m5;
    }
  }
};

/// A: gradients of 4 outputs to 6 points.
struct OutputTransposed {
  static constexpr int from = kOut, to = kIn;
  static void apply(const float* y, int step, float* m, int m_step) {
    for (int i = 0; i < kLanes; ++i) {
      const float y0 = y[i], y1 = y[i + step], y2 = y[i + 2 * step], y3 = y[i + 3 * step];
      const float even = y0 + y2, odd = y1 + y3, even2 = y0 + 4 * y2, odd2 = 2 * y1 + 8 * y3;
      m[i] = y0;
      m[i + m_step] = even + odd;
      m[i + 2 * m_step] = even - odd;
      m[i + 3 * m_step] = even2 + odd2;
      m[i + 4 * m_step] = even2 - odd2;
      m[i + 5 * m_step] = y3;
    }
  }
};

/// G: 3 weights to 6 points.
struct WeightTransform {
  static constexpr int from = 3, to = kIn;
  static void apply(const float* g, int step, float* u, int u_step) {
    for (int i = 0; i < kLanes; ++i) {
      const float g0 = g[i], g1 = g[i + step], g2 = g[i + 2 * step];
      const float even = (g0 + g2) * (-1.0f / 6), odd = g1 * (-1.0f / 6);
      const float even2 = g0 * (1.0f / 24) + g2 * (1.0f / 6), odd2 = g1 * (1.0f / 12);
      u[i] = g0 * 0.25f;
      u[i + u_step] = even + odd;
      u[i + 2 * u_step] = even - odd;
      u[i + 3 * u_step] = even2 + odd2;
      u[i + 4 * u_step] = even2 - odd2;
      u[i + 5 * u_step] = g2;
    }
  }
};

/// G^T: gradients of 6 points to 3 weights.
struct WeightTransposed {
  static constexpr int from = kIn, to = 3;
  static void apply(const float* u, int step, float* g, int g_step) {
    for (int i = 0; i < kLanes; ++i) {
      const float u0 = u[i], u1 = u[i + step], u2 = u[i + 2 * step], u3 = u[i + 3 * step], u4 = u[i + 4 * step],
                  u5 = u[i + 5 * step];
      const float sum = u1 + u2, sum2 = u3 + u4;
      g[i] = 0.25f * u0 - (1.0f / 6) * sum + (1.0f / 24) * sum2;
      g[i + g_step] = (1.0f / 6) * (u2 - u1) + (1.0f / 12) * (u3 - u4);
      g[i + 2 * g_step] = (1.0f / 6) * (sum2 - sum) + u5;
    }
  }
};

/// F x F^T of a square of from x from vectors to one of to x to vectors.
template <class F>
void both_axes(const float* x, float* y) {
  float half[F::to * F::from * kLanes];
  for (int j = 0; j < F::from; ++j) F::apply(x + j * kLanes, F::from * kLanes, half + j * kLanes, F::from * kLanes);
  for (int i = 0; i < F::to; ++i) F::apply(half + i * F::from * kLanes, kLanes, y + i * F::to * kLanes, kLanes);
}

/// y[i * y_step + c] = (F x F^T)[i] of the square x[0][c], x[1][c], ..., for all c < channels.
template <class F, class T>
void transform_square(const T* const* x, int channels, float* y, std::int64_t y_step) {
  with_widest_vectors([=] {
    constexpr int kFrom = F::from * F::from, kTo = F::to * F::to;
    float in[kFrom * kLanes], out[kTo * kLanes];
    int c = 0;
    for (; c + kLanes <= channels; c += kLanes) {
      for (int i = 0; i < kFrom; ++i) {
        for (int lane = 0; lane < kLanes; ++lane) in[i * kLanes + lane] = float(x[i][c + lane]);
      }
      both_axes<F>(in, out);
      for (int i = 0; i < kTo; ++i) {
        for (int lane = 0; lane < kLanes; ++lane) y[i * y_step + c + lane] = out[i * kLanes + lane];
      }
    }
    if (c == channels) return;
    for (int i = 0; i < kFrom; ++i) {
      for (int lane = 0; lane < kLanes; ++lane)
        in[i * kLanes + lane] = c + lane < channels ? float(x[i][c + lane]) : 0.0f;
    }
    both_axes<F>(in, out);
    for (int i = 0; i < kTo; ++i) std::copy_n(out + i * kLanes, channels - c, y + i * y_step + c);
  });
}

/// Transformed values of `count` tiles or filters: 36 matrices [count, channels].
struct Points {
  float* data;
  std::int64_t count;
  int channels;

  std::int64_t size() const { return count * channels; }
  float* matrix(int point) const { return data + point * size(); }
  /// At the first point; the others follow in steps of size().
  float* of(std::int64_t at) const { return data + at * channels; }
};

/// The tiles of `maps`: levels of as many rows as there are tiles.
Levels tiles_of(const Levels& maps) {
  Levels tiles = maps;
  for (int l = 0; l < maps.count; ++l) {
    tiles.level[l].h = (maps.level[l].h + kOut - 1) / kOut;
    tiles.level[l].w = (maps.level[l].w + kOut - 1) / kOut;
  }
  return tiles;
}

/// A square of pixels of one image, partly outside of it.
struct Square {
  const LevelShape& level;
  std::int64_t image_row;  // of the image's first pixel
  int top, left;

  Square(const Levels& maps, int l, int n, int top_row, int left_column)
      : level(maps.level[l]),
        image_row(maps.offset(l) + std::int64_t{n} * maps.level[l].h * maps.level[l].w),
        top(top_row),
        left(left_column) {}
  /// Row of the matrix [pixels, channels] that holds pixel (i, j) of the square; negative outside.
  std::int64_t row(int i, int j) const {
    const int y = top + i, x = left + j;
    return y < 0 || x < 0 || y >= level.h || x >= level.w ? -1 : image_row + std::int64_t{y} * level.w + x;
  }
};

/// Tiles or filters that a thread works on at a time.
std::int64_t grain_of(int channels) { return std::max(1, 1024 / channels); }

/// points[tile - begin] = F x F^T for the tiles [begin, end), x the square of pixels at 4 times the tile's place +
/// shift.
template <class F, class T>
void transform_tiles(const Levels& tiles, std::int64_t begin, std::int64_t end, const Levels& maps, int shift,
                     const T* x, const Points& points) {
  constexpr int kSide = F::from;
  const std::vector<T> outside(points.channels, T(0.0f));
  parallel_for(end - begin, grain_of(points.channels), [&](std::int64_t first, std::int64_t last) {
    for_each_pixel(tiles, begin + first, begin + last, [&](std::int64_t tile, int l, int n, int ty, int tx) {
      const Square square(maps, l, n, kOut * ty + shift, kOut * tx + shift);
      const T* pixels[kSide * kSide];
      for (int i = 0; i < kSide * kSide; ++i) {
        const std::int64_t row = square.row(i / kSide, i % kSide);
        pixels[i] = row < 0 ? outside.data() : x + row * points.channels;
      }
      transform_square<F>(pixels, points.channels, points.of(tile - begin), points.size());
    });
  });
}

/// Calls finish(row, 1, 0, channels, values, 0) for the pixels of the tiles' outputs.
template <class Finish>
void transform_outputs(const Levels& tiles, std::int64_t begin, std::int64_t end, const Levels& maps,
                       const Points& points, const Finish& finish) {
  parallel_for(end - begin, grain_of(points.channels), [&](std::int64_t first, std::int64_t last) {
    const Buffer out(kOut * kOut * points.channels);
    for_each_pixel(tiles, begin + first, begin + last, [&](std::int64_t tile, int l, int n, int ty, int tx) {
      const float* in[kPoints];
      for (int i = 0; i < kPoints; ++i) in[i] = points.matrix(i) + (tile - begin) * points.channels;
      transform_square<OutputTransform>(in, points.channels, out.data(), points.channels);
      const Square square(maps, l, n, kOut * ty, kOut * tx);
      for (int i = 0; i < kOut * kOut; ++i) {
        const std::int64_t row = square.row(i / kOut, i % kOut);
        if (row >= 0) finish(row, 1, 0, points.channels, out.data() + i * points.channels, 0);
      }
    });
  });
}

/// points[o] = G g G^T of the weights [out, 3, 3, in], rotated by 180 degrees or not.
template <class T>
void transform_weights(const Conv2dShape& s, const T* w, bool rotated, const Points& points) {
  parallel_for(s.out_channels, grain_of(s.in_channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      const T* taps[9];
      for (int tap = 0; tap < 9; ++tap) taps[tap] = w + (o * 9 + (rotated ? 8 - tap : tap)) * s.in_channels;
      transform_square<WeightTransform>(taps, s.in_channels, points.of(o), points.size());
    }
  });
}

/// Tiles that are worked on at a time: their transformed values stay in the caches, and products are tall enough.
std::int64_t chunk_of(std::int64_t tiles, int channels) {
  constexpr std::int64_t kFloats = 1 << 20, kFewest = 256;
  const std::int64_t most = std::max(kFewest, kFloats / (kPoints * channels));
  const std::int64_t chunks = (tiles + most - 1) / most;
  return (tiles + chunks - 1) / chunks;
}

/// The correlation of x [rows of source, channels] with transformed weights; transposed: those are [width, channels].
template <class T, class Finish>
void correlate(const Levels& source, int padding, int channels, const T* x, const Levels& grid, int width,
               const Points& weights, bool transposed, const Finish& finish) {
  const Levels tiles = tiles_of(grid);
  const std::int64_t total = tiles.rows();
  if (total == 0) return;
  const std::int64_t chunk = chunk_of(total, channels + width);
  const Buffer in(kPoints * chunk * channels), out(kPoints * chunk * width);
  for (std::int64_t begin = 0; begin < total; begin += chunk) {
    const std::int64_t count = std::min(chunk, total - begin);
    const Points inputs{in.data(), count, channels}, outputs{out.data(), count, width};
    transform_tiles<InputTransform>(tiles, begin, begin + count, source, -padding, x, inputs);
    parallel_for(kPoints, 1, [&](std::int64_t p, std::int64_t) {
      const int point = static_cast<int>(p);
      gemm(Transposed::no, transposed ? Transposed::yes : Transposed::no, count, width, channels, inputs.matrix(point),
           channels, weights.matrix(point), weights.channels, 0.0f, outputs.matrix(point), width);
    });
    transform_outputs(tiles, begin, begin + count, grid, outputs, finish);
  }
}

}  // namespace

void allow_winograd(bool yes) { allowed = yes; }

bool winograd_pays(const Conv2dShape& s) {
  if (!allowed) return false;
  constexpr int kFewestChannels = 32, kFewestTiles = 8;
  const auto [fewer, more] = std::minmax(s.in_channels, s.out_channels);
  if (s.kernel != 3 || s.stride != 1 || fewer < kFewestChannels) return false;
  const std::int64_t tiles = tiles_of(s.out()).rows();
  // The transform of the weights has to be worth it. 36 products per tile against 9 per pixel: small maps waste the
  // rest of their tiles.
  return tiles >= std::max(kFewestTiles, more / 8) && 9 * s.out().rows() >= 2 * kPoints * tiles;
}

template <class T>
void winograd_forward(const Conv2dForwardArgs<T>& args) {
  const Conv2dShape& s = args.shape;
  const Buffer memory(std::int64_t{kPoints} * s.out_channels * s.in_channels);
  const Points weights{memory.data(), s.out_channels, s.in_channels};
  transform_weights(s, args.w, false, weights);
  const EpilogueOf<T> epilogue(args.epilogue, s.out_channels, args.y);
  correlate(s.in, s.padding, s.in_channels, args.x, s.out(), s.out_channels, weights, true, epilogue);
}

template <class T>
void winograd_backward_data(const Conv2dShape& s, const T* dz, const T* w, T* dx) {
  const Buffer memory(std::int64_t{kPoints} * s.out_channels * s.in_channels);
  const Points weights{memory.data(), s.out_channels, s.in_channels};
  transform_weights(s, w, true, weights);
  const EpilogueOf<T> store({}, s.in_channels, dx);
  correlate(s.out(), 2 - s.padding, s.out_channels, dz, s.in, s.in_channels, weights, false, store);
}

template <class T>
void winograd_backward_weight(const Conv2dShape& s, const T* dz, const T* x, float* dw) {
  const Levels out = s.out(), tiles = tiles_of(out);
  const std::int64_t total = tiles.rows(), outs = s.out_channels, ins = s.in_channels;
  if (total == 0) {
    std::fill_n(dw, 9 * outs * ins, 0.0f);
    return;
  }
  const Buffer memory(kPoints * outs * ins);
  const Points gradients{memory.data(), outs, s.in_channels};
  const std::int64_t chunk = chunk_of(total, s.in_channels + s.out_channels);
  const Buffer in(kPoints * chunk * ins), back(kPoints * chunk * outs);
  for (std::int64_t begin = 0; begin < total; begin += chunk) {
    const std::int64_t count = std::min(chunk, total - begin);
    const Points inputs{in.data(), count, s.in_channels}, outputs{back.data(), count, s.out_channels};
    transform_tiles<InputTransform>(tiles, begin, begin + count, s.in, -s.padding, x, inputs);
    transform_tiles<OutputTransposed>(tiles, begin, begin + count, out, 0, dz, outputs);
    parallel_for(kPoints, 1, [&](std::int64_t p, std::int64_t) {
      const int point = static_cast<int>(p);
      gemm(Transposed::yes, Transposed::no, outs, ins, count, outputs.matrix(point), outs, inputs.matrix(point), ins,
           begin == 0 ? 0.0f : 1.0f, gradients.matrix(point), ins);
    });
  }
  parallel_for(outs, grain_of(s.in_channels), [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t o = begin; o < end; ++o) {
      const float* points[kPoints];
      for (int i = 0; i < kPoints; ++i) points[i] = gradients.matrix(i) + o * ins;
      transform_square<WeightTransposed>(points, s.in_channels, dw + o * 9 * ins, ins);
    }
  });
}

template void winograd_forward(const Conv2dForwardArgs<float>&);
template void winograd_forward(const Conv2dForwardArgs<bf16>&);
template void winograd_backward_data(const Conv2dShape&, const float*, const float*, float*);
template void winograd_backward_data(const Conv2dShape&, const bf16*, const bf16*, bf16*);
template void winograd_backward_weight(const Conv2dShape&, const float*, const float*, float*);
template void winograd_backward_weight(const Conv2dShape&, const bf16*, const bf16*, float*);

}  // namespace diopter::cpu
