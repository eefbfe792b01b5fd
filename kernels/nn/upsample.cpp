#include "kernels/nn/upsample.h"

#include <algorithm>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"

namespace diopter {

void validate_upsample(const LevelShape& in, int out_h, int out_w) {
  DIOPTER_CHECK(in.n == 0 || (in.h >= 1 && in.w >= 1 && out_h >= in.h && out_w >= in.w), "upsample: from ", in.w, "x",
                in.h, " to ", out_w, "x", out_h);
}

namespace cpu {

template <class T>
void upsample_forward(LevelShape in, int channels, int out_h, int out_w, const T* x, T* y) {
  validate_upsample(in, out_h, out_w);
  parallel_for(std::int64_t{in.n} * out_h, 1, [=](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t from_line = line / out_h * in.h + upsample_source(static_cast<int>(line % out_h), in.h, out_h);
      for (int ox = 0; ox < out_w; ++ox) {
        std::copy_n(x + (from_line * in.w + upsample_source(ox, in.w, out_w)) * channels, channels,
                    y + (line * out_w + ox) * channels);
      }
    }
  });
}

template <class T>
void upsample_backward(LevelShape in, int channels, int out_h, int out_w, const T* dy, T* dx) {
  validate_upsample(in, out_h, out_w);
  parallel_for(std::int64_t{in.n} * in.h, 1, [=](std::int64_t begin, std::int64_t end) {
    std::vector<float> sum(channels);
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t image = line / in.h;
      const int iy = static_cast<int>(line % in.h);
      for (int ix = 0; ix < in.w; ++ix) {
        std::fill(sum.begin(), sum.end(), 0.0f);
        for (int oy = upsample_first_copy(iy, in.h, out_h); oy < upsample_first_copy(iy + 1, in.h, out_h); ++oy) {
          for (int ox = upsample_first_copy(ix, in.w, out_w); ox < upsample_first_copy(ix + 1, in.w, out_w); ++ox) {
            const T* from = dy + ((image * out_h + oy) * out_w + ox) * channels;
            for (int c = 0; c < channels; ++c) sum[c] += float(from[c]);
          }
        }
        T* to = dx + (line * in.w + ix) * channels;
        for (int c = 0; c < channels; ++c) to[c] = T(sum[c]);
      }
    }
  });
}

template void upsample_forward(LevelShape, int, int, int, const float*, float*);
template void upsample_forward(LevelShape, int, int, int, const bf16*, bf16*);
template void upsample_backward(LevelShape, int, int, int, const float*, float*);
template void upsample_backward(LevelShape, int, int, int, const bf16*, bf16*);

}  // namespace cpu
}  // namespace diopter
