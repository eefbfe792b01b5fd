#include "kernels/nn/conv2d/conv2d.h"

#include <algorithm>
#include <type_traits>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/nn/conv2d/conv2d_epilogue.h"
#include "kernels/nn/conv2d/gemm.h"
#include "kernels/nn/conv2d/winograd.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/feature_maps.h"
#include "kernels/nn/row_sums.h"
#include "kernels/toolkit/widest_vectors.h"

// Large enough 3x3 convolutions go to winograd.cpp. Every other pass is matrix products over blocks of pixels. The
// pixels of all levels and images are one list of rows; a block of rows is gathered into a matrix [pixels, taps *
// channels] (im2col) that stays in the cache while sgemm reads it. The backward pass to the data is the same
// correlation with rotated weights. How rows are cut into blocks depends on shapes only.
namespace diopter {

void validate(const Conv2dShape& s) {
  DIOPTER_CHECK(s.in.count >= 0 && s.in.count <= kMaxLevels, "conv2d: ", s.in.count, " levels, at most ", kMaxLevels);
  DIOPTER_CHECK(s.in_channels >= 1 && s.out_channels >= 1 && s.kernel >= 1 && s.stride >= 1 && s.padding >= 0,
                "conv2d: ", s.in_channels, " -> ", s.out_channels, " channels, kernel ", s.kernel, ", stride ",
                s.stride, ", padding ", s.padding);
  for (int l = 0; l < s.in.count; ++l) {
    const LevelShape& level = s.in.level[l];
    DIOPTER_CHECK(level.n >= 0 && level.h >= 0 && level.w >= 0, "conv2d: level of ", level.n, " images of ", level.w,
                  "x", level.h);
    DIOPTER_CHECK(
        level.n == 0 || (std::min(level.h, level.w) >= 1 && std::min(level.h, level.w) + 2 * s.padding >= s.kernel),
        "conv2d: kernel ", s.kernel, " does not fit an image of ", level.w, "x", level.h, " with padding ", s.padding);
  }
}

namespace cpu {

namespace {

/// Work space that a thread keeps between blocks.
struct Scratch {
  Buffer columns, result, gradient;
};
Scratch& scratch() {
  thread_local Scratch mine;
  return mine;
}

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Which source pixels an output pixel (y, x) sees: rows y * step + top .. + rows - 1, columns likewise.
struct Window {
  int step;
  int top, rows;
  int left, columns;
  int taps() const { return rows * columns; }
};

/// Output row i sees source row i and nothing else, so that the source itself is the matrix [pixels, channels].
bool is_identity(const Levels& source, const Levels& grid, const Window& w) {
  return w.step == 1 && w.top == 0 && w.left == 0 && w.taps() == 1 && source == grid;
}

/// columns[pixel, tap row, tap column, channel] for the pixels [begin, end) of `grid`; 0 outside the source.
template <class T>
void im2col(const Levels& source, int channels, const T* x, const Levels& grid, const Window& window,
            std::int64_t begin, std::int64_t end, float* columns) {
  const std::int64_t run = std::int64_t{window.columns} * channels;
  std::int64_t offset[kMaxLevels];
  for (int l = 0; l < source.count; ++l) offset[l] = source.offset(l);
  for_each_pixel(grid, begin, end, [&](std::int64_t, int l, int n, int y, int x_out) {
    const LevelShape& level = source.level[l];
    const int left = x_out * window.step + window.left;
    // The part [from, to) of the run of pixels that lies inside the image.
    const int from = std::clamp(-left, 0, window.columns), to = std::clamp(level.w - left, from, window.columns);
    for (int r = 0; r < window.rows; ++r, columns += run) {
      const int iy = y * window.step + window.top + r;
      if (iy < 0 || iy >= level.h || from == to) {
        std::fill_n(columns, run, 0.0f);
        continue;
      }
      const T* line = x + (offset[l] + (std::int64_t{n} * level.h + iy) * level.w + left) * channels;
      std::fill_n(columns, std::int64_t{from} * channels, 0.0f);
      convert(std::int64_t{to - from} * channels, line + std::int64_t{from} * channels,
              columns + std::int64_t{from} * channels);
      std::fill_n(columns + std::int64_t{to} * channels, std::int64_t{window.columns - to} * channels, 0.0f);
    }
  });
}

/// The blocks [rows, channels) into which an output matrix is cut.
struct Blocks {
  std::int64_t rows, row_blocks;
  int channels, channel_blocks;
};

/// `depth` is the length of the inner products. A block's columns should stay in the second-level cache, but sgemm
/// repacks the weights for every block, so that very short ones do not pay. There are enough blocks for some threads;
/// small maps with many channels are cut by output channels, too.
Blocks cut(std::int64_t rows, std::int64_t depth, int channels) {
  constexpr std::int64_t kColumnFloats = 1 << 17, kEnoughRows = 384, kFewestRows = 64, kWantedBlocks = 8;
  const std::int64_t largest = std::max(kEnoughRows, kColumnFloats / depth);
  const std::int64_t wanted = std::max(divide_up(rows, largest), std::min(kWantedBlocks, rows / kFewestRows));
  Blocks blocks{};
  blocks.rows = divide_up(divide_up(rows, std::max<std::int64_t>(wanted, 1)), 16) * 16;
  blocks.row_blocks = divide_up(rows, blocks.rows);
  const std::int64_t pieces = std::clamp<std::int64_t>(channels / 64, 1, divide_up(4, blocks.row_blocks));
  blocks.channels = static_cast<int>(divide_up(channels, pieces));
  blocks.channel_blocks = static_cast<int>(divide_up(channels, blocks.channels));
  return blocks;
}

/// The matrix [depth, width] that columns are multiplied with; transposed: it is stored [width, depth].
struct Weights {
  const float* data;
  int width;
  bool transposed;
};

/// z [rows of grid, width] = im2col(x) w, where w is [taps * channels, width]. Each block is handed to
/// finish(first row, rows, first channel, channels, z block, its row stride) while it is in the cache; with `direct`
/// (which may be null) it has been computed there, as a part of the whole matrix, otherwise in scratch memory.
template <class T, class Finish>
void correlate(const Levels& source, int channels, const T* x, const Levels& grid, const Window& window,
               const Weights& w, float* direct, const Finish& finish) {
  const std::int64_t rows = grid.rows(), depth = std::int64_t{window.taps()} * channels;
  if (rows == 0) return;
  const Blocks blocks = cut(rows, depth, w.width);
  const bool identity = std::is_same_v<T, float> && is_identity(source, grid, window);
  parallel_for(blocks.row_blocks * blocks.channel_blocks, 1, [&](std::int64_t block, std::int64_t) {
    const std::int64_t begin = block / blocks.channel_blocks * blocks.rows;
    const std::int64_t count = std::min(blocks.rows, rows - begin);
    const int c = static_cast<int>(block % blocks.channel_blocks) * blocks.channels;
    const int wide = std::min(blocks.channels, w.width - c);
    const float* columns;
    if (identity) {
      columns = reinterpret_cast<const float*>(x) + begin * depth;
    } else {
      float* gathered = scratch().columns.get(blocks.rows * depth);
      im2col(source, channels, x, grid, window, begin, begin + count, gathered);
      columns = gathered;
    }
    float* z = direct ? direct + begin * w.width + c : scratch().result.get(blocks.rows * blocks.channels);
    const std::int64_t stride = direct ? w.width : wide;
    gemm(Transposed::no, w.transposed ? Transposed::yes : Transposed::no, count, wide, depth, columns, depth,
         w.data + (w.transposed ? c * depth : c), w.transposed ? depth : w.width, 0.0f, z, stride);
    finish(begin, count, c, wide, z, stride);
  });
}

/// The taps of one axis that reach the positions p with p mod stride == phase: source = j + offset + tap for the j-th
/// of these positions. `last` is the kernel position of tap 0; the next taps are `stride` before it each.
struct Phase {
  int offset, taps, last;
  Phase(const Conv2dShape& s, int phase) {
    const int first = (phase + s.padding) % s.stride;
    taps = first < s.kernel ? (s.kernel - 1 - first) / s.stride + 1 : 0;
    last = first + (taps - 1) * s.stride;
    offset = (phase + s.padding - last) / s.stride;
  }
};

/// rotated[tap y, tap x, out, in] = w[out, last - tap y * stride, last - tap x * stride, in]
template <class T>
void rotate(const Conv2dShape& s, const Phase& py, const Phase& px, const T* w, float* rotated) {
  const std::int64_t outs = s.out_channels, ins = s.in_channels;
  parallel_for(py.taps * px.taps * outs, (1 << 14) / ins + 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::int64_t tap = i / outs, o = i % outs;
      const std::int64_t ky = py.last - tap / px.taps * s.stride, kx = px.last - tap % px.taps * s.stride;
      convert(ins, w + ((o * s.kernel + ky) * s.kernel + kx) * ins, rotated + i * ins);
    }
  });
}

}  // namespace

template <class T>
void conv2d_forward(const Conv2dForwardArgs<T>& args) {
  validate(args.shape);
  if (winograd_pays(args.shape)) return winograd_forward(args);
  const Conv2dShape& s = args.shape;
  const Conv2dEpilogue<T>& e = args.epilogue;
  const int outs = s.out_channels;
  const Window window{s.stride, -s.padding, s.kernel, -s.padding, s.kernel};
  const FloatCopy<T> floats(std::int64_t{outs} * window.taps() * s.in_channels, args.w);
  const Weights w{floats.data(), outs, true};

  const EpilogueOf<T> epilogue(e, outs, args.y);
  float* direct = nullptr;
  if constexpr (std::is_same_v<T, float>) direct = e.residual == args.y ? nullptr : args.y;
  if (direct && epilogue.changes_nothing()) {
    correlate(s.in, s.in_channels, args.x, s.out(), window, w, direct, [](auto&&...) {});
  } else {
    correlate(s.in, s.in_channels, args.x, s.out(), window, w, direct, epilogue);
  }
}

void conv2d_forward(const Conv2dForwardArgs<bf16, float>& args) {
  const Conv2dShape& s = args.shape;
  const FloatCopy<bf16> x(s.in.rows() * s.in_channels, args.x);
  const FloatCopy<bf16> w(std::int64_t{s.out_channels} * s.kernel * s.kernel * s.in_channels, args.w);
  conv2d_forward<float>({.shape = s, .x = x.data(), .w = w.data(), .y = args.y, .epilogue = args.epilogue});
}

template <class T>
void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<T>& args) {
  const int channels = args.channels;
  const auto add_rows = [&args, channels](std::int64_t begin, std::int64_t end, double* dbias) {
    std::vector<float> masked(channels);
    with_widest_vectors([args, channels, begin, end, dbias, g = masked.data()] {
      for (std::int64_t row = begin; row < end; ++row) {
        const std::int64_t at = row * channels;
        convert(channels, args.dy + at, g);
        if (const T* y = args.y) {
          for (int c = 0; c < channels; ++c) g[c] = Relu::backward(float(y[at + c]), g[c]);
        }
        if (args.dbias) {
          for (int c = 0; c < channels; ++c) dbias[c] += double{g[c]};
        }
        if (T* dresidual = args.dresidual) {
          for (int c = 0; c < channels; ++c) dresidual[at + c] = T(g[c]);
        }
        if (const float* scale = args.scale; args.dz && scale) {
          for (int c = 0; c < channels; ++c) g[c] *= scale[c];
        }
        if (T* dz = args.dz) {
          for (int c = 0; c < channels; ++c) dz[at + c] = T(g[c]);
        }
      }
    });
  };
  const auto sums = row_sums(args.rows, row_grain(args.rows, channels), args.dbias ? channels : 0, add_rows);
  std::copy(sums.begin(), sums.end(), args.dbias);
}

template <class T>
void conv2d_backward_data(const Conv2dShape& s, const T* dz, const T* w, T* dx) {
  validate(s);
  if (winograd_pays(s)) return winograd_backward_data(s, dz, w, dx);
  const int ins = s.in_channels, stride = s.stride;
  const Levels out = s.out();
  Buffer rotated(std::int64_t{ins} * s.kernel * s.kernel * s.out_channels);
  // Positions of the input that differ by a multiple of the stride see the same taps: each such phase is a
  // correlation of its own (for stride 1 there is only one).
  for (int y0 = 0; y0 < stride; ++y0) {
    for (int x0 = 0; x0 < stride; ++x0) {
      const Phase py(s, y0), px(s, x0);
      Levels grid = s.in;
      for (int l = 0; l < grid.count; ++l) {
        grid.level[l].h = (s.in.level[l].h - y0 + stride - 1) / stride;
        grid.level[l].w = (s.in.level[l].w - x0 + stride - 1) / stride;
      }
      const auto place = [&](int l, int n, int y, int x) {
        const LevelShape& level = s.in.level[l];
        const std::int64_t line = std::int64_t{n} * level.h + y0 + y * stride;
        return dx + (s.in.offset(l) + line * level.w + x0 + x * stride) * ins;
      };
      if (py.taps == 0 || px.taps == 0) {
        parallel_for(grid.rows(), (1 << 15) / ins + 1, [&](std::int64_t begin, std::int64_t end) {
          for_each_pixel(grid, begin, end, [&](std::int64_t, int l, int n, int y, int x) {
            std::fill_n(place(l, n, y, x), ins, T(0.0f));
          });
        });
        continue;
      }
      rotate(s, py, px, w, rotated.data());
      const Window window{1, py.offset, py.taps, px.offset, px.taps};
      float* direct = nullptr;
      if constexpr (std::is_same_v<T, float>) direct = stride == 1 ? dx : nullptr;
      correlate(out, s.out_channels, dz, grid, window, {rotated.data(), ins, false}, direct,
                [&](std::int64_t begin, std::int64_t rows, int c, int wide, const float* z, std::int64_t ldz) {
                  if (direct) return;
                  for_each_pixel(grid, begin, begin + rows, [&](std::int64_t, int l, int n, int y, int x) {
                    T* to = place(l, n, y, x) + c;
                    for (int i = 0; i < wide; ++i) to[i] = T(z[i]);
                    z += ldz;
                  });
                });
    }
  }
}

template <class T>
void conv2d_backward_weight(const Conv2dShape& s, const T* dz, const T* x, float* dw) {
  validate(s);
  if (winograd_pays(s)) return winograd_backward_weight(s, dz, x, dw);
  const Levels out = s.out();
  const std::int64_t rows = out.rows(), outs = s.out_channels;
  const std::int64_t depth = std::int64_t{s.kernel} * s.kernel * s.in_channels, size = outs * depth;
  if (rows == 0) {
    std::fill_n(dw, size, 0.0f);
    return;
  }
  // Units of work are the rows of the kernel, and groups of consecutive rows of pixels with a partial sum each, which
  // are added in order at the end. Small weights need no cut by kernel rows, large ones leave room for few partial
  // sums.
  constexpr std::int64_t kSmall = 1 << 14, kPartialFloats = 1 << 22, kWantedUnits = 8, kFewestRows = 256;
  const int parts = size > kSmall ? s.kernel : 1;
  const std::int64_t groups =
      std::clamp<std::int64_t>(std::min(rows / kFewestRows, kPartialFloats / size), 1, divide_up(kWantedUnits, parts));
  const std::int64_t group_rows = divide_up(rows, groups), part = depth / parts;
  const bool is_float = std::is_same_v<T, float>;
  const bool identity = is_float && is_identity(s.in, out, {s.stride, -s.padding, s.kernel, -s.padding, s.kernel});
  const std::int64_t block_rows = identity ? group_rows : std::max<std::int64_t>(kFewestRows, (1 << 17) / part);
  Buffer partial(groups > 1 ? groups * size : 0);

  parallel_for(groups * parts, 1, [&](std::int64_t unit, std::int64_t) {
    const std::int64_t group = unit / parts, first = group * group_rows, last = std::min(first + group_rows, rows);
    const int ky = static_cast<int>(unit % parts);
    const Window window{s.stride, ky - s.padding, s.kernel / parts, -s.padding, s.kernel};
    float* sum = (groups > 1 ? partial.data() + group * size : dw) + ky * part;
    float beta = 0.0f;
    for (std::int64_t begin = first; begin < last; begin += block_rows, beta = 1.0f) {
      const std::int64_t count = std::min(block_rows, last - begin);
      const float *columns, *gradient;
      if (identity) {
        columns = reinterpret_cast<const float*>(x) + begin * depth;
      } else {
        float* gathered = scratch().columns.get(block_rows * part);
        im2col(s.in, s.in_channels, x, out, window, begin, begin + count, gathered);
        columns = gathered;
      }
      if (is_float) {
        gradient = reinterpret_cast<const float*>(dz) + begin * outs;
      } else {
        float* converted = scratch().gradient.get(block_rows * outs);
        convert(count * outs, dz + begin * outs, converted);
        gradient = converted;
      }
      gemm(Transposed::yes, Transposed::no, outs, part, count, gradient, outs, columns, part, beta, sum, depth);
    }
  });
  if (groups == 1) return;
  const float* sums = partial.data();
  parallel_for(size, 1 << 14, [=](std::int64_t begin, std::int64_t end) {
    std::copy(sums + begin, sums + end, dw + begin);
    for (std::int64_t group = 1; group < groups; ++group) {
      for (std::int64_t i = begin; i < end; ++i) dw[i] += sums[group * size + i];
    }
  });
}

template void conv2d_forward(const Conv2dForwardArgs<float>&);
template void conv2d_forward(const Conv2dForwardArgs<bf16>&);
template void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<float>&);
template void conv2d_epilogue_backward(const Conv2dEpilogueBackwardArgs<bf16>&);
template void conv2d_backward_data(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_data(const Conv2dShape&, const bf16*, const bf16*, bf16*);
template void conv2d_backward_weight(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_weight(const Conv2dShape&, const bf16*, const bf16*, float*);

}  // namespace cpu
}  // namespace diopter
