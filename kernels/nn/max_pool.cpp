#include "kernels/nn/max_pool.h"

#include <algorithm>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"

namespace diopter {

void validate(const MaxPoolShape& s) {
  DIOPTER_CHECK(s.kernel >= 1 && s.kernel <= 15 && s.stride >= 1 && s.padding >= 0 && s.padding <= s.kernel / 2,
                "max pool: kernel ", s.kernel, ", stride ", s.stride, ", padding ", s.padding);
  DIOPTER_CHECK(s.in.n == 0 || std::min(s.in.h, s.in.w) + 2 * s.padding >= s.kernel, "max pool: kernel ", s.kernel,
                " does not fit an image of ", s.in.w, "x", s.in.h, " with padding ", s.padding);
}

namespace cpu {

template <class T>
void max_pool_forward(const MaxPoolShape& shape, const T* x, T* y, std::uint8_t* tap) {
  validate(shape);
  const LevelShape in = shape.in, out = shape.out();
  const int channels = shape.channels;
  // One piece is one line of output pixels.
  parallel_for(std::int64_t{out.n} * out.h, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> best(channels);
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t image = line / out.h;
      const int top = static_cast<int>(line % out.h) * shape.stride - shape.padding;
      for (int ox = 0; ox < out.w; ++ox) {
        const int left = ox * shape.stride - shape.padding;
        const std::int64_t to = (line * out.w + ox) * channels;
        bool first = true;
        for (int iy = std::max(top, 0); iy < std::min(top + shape.kernel, in.h); ++iy) {
          for (int ix = std::max(left, 0); ix < std::min(left + shape.kernel, in.w); ++ix, first = false) {
            const T* from = x + ((image * in.h + iy) * in.w + ix) * channels;
            const auto here = static_cast<std::uint8_t>((iy - top) * shape.kernel + (ix - left));
            for (int c = 0; c < channels; ++c) {
              const float value = float(from[c]);
              const bool wins = first || max_pool_replaces(value, best[c]);
              best[c] = wins ? value : best[c];
              tap[to + c] = wins ? here : tap[to + c];
            }
          }
        }
        for (int c = 0; c < channels; ++c) y[to + c] = T(best[c]);
      }
    }
  });
}

template <class T>
void max_pool_backward(const MaxPoolShape& shape, const std::uint8_t* tap, const T* dy, T* dx) {
  validate(shape);
  const LevelShape in = shape.in, out = shape.out();
  const int channels = shape.channels, kernel = shape.kernel, stride = shape.stride;
  // Every input pixel gathers from the windows it lies in: no two threads write the same place.
  parallel_for(std::int64_t{in.n} * in.h, 1, [&](std::int64_t begin, std::int64_t end) {
    std::vector<float> sum(channels);
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t image = line / in.h;
      const int y = static_cast<int>(line % in.h) + shape.padding;
      for (int ix = 0; ix < in.w; ++ix) {
        const int x = ix + shape.padding;
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (int oy = y < kernel ? 0 : (y - kernel) / stride + 1; oy <= std::min(y / stride, out.h - 1); ++oy) {
          for (int ox = x < kernel ? 0 : (x - kernel) / stride + 1; ox <= std::min(x / stride, out.w - 1); ++ox) {
            const int here = (y - oy * stride) * kernel + (x - ox * stride);
            const std::int64_t from = ((image * out.h + oy) * out.w + ox) * channels;
            for (int c = 0; c < channels; ++c) sum[c] += tap[from + c] == here ? float(dy[from + c]) : 0.0f;
          }
        }
        T* to = dx + (line * in.w + ix) * channels;
        for (int c = 0; c < channels; ++c) to[c] = T(sum[c]);
      }
    }
  });
}

template void max_pool_forward(const MaxPoolShape&, const float*, float*, std::uint8_t*);
template void max_pool_forward(const MaxPoolShape&, const bf16*, bf16*, std::uint8_t*);
template void max_pool_backward(const MaxPoolShape&, const std::uint8_t*, const float*, float*);
template void max_pool_backward(const MaxPoolShape&, const std::uint8_t*, const bf16*, bf16*);

}  // namespace cpu
}  // namespace diopter
