// Bilinear interpolation of float pictures, without antialiasing and with half-pixel centres
// (torch.nn.functional.interpolate, align_corners=False): source pixel = (i + 0.5) * in / out - 0.5, clamped.
#pragma once

#include <vector>

namespace diopter {

/// Where the outputs begin, begin + 1, ... begin + count - 1 along one axis lie between their two neighbours in the
/// source, of `in` pixels that become `out`.
struct BilinearAxis {
  BilinearAxis(int in, int out, int begin, int count);
  BilinearAxis(int in, int out) : BilinearAxis(in, out, 0, out) {}

  int count() const { return static_cast<int>(weight.size()); }

  std::vector<int> low, high;  // source indices of the left or upper neighbour, and of the right or lower one
  std::vector<float> weight;   // of the latter
};

/// The source indices that the axis uses, ascending. `low` and `high` become indices into them: the axis is one of a
/// picture that has no other pixels.
std::vector<int> keep_used(BilinearAxis& axis);

/// in: [any, width, 3], out: [vertical.count(), horizontal.count(), 3].
void resize_bilinear(const float* in, int width, const BilinearAxis& horizontal, const BilinearAxis& vertical,
                     float* out);

}  // namespace diopter
