// Colours of the synthetic pictures: of the ground, and of shapes on it.
#pragma once

#include "data/shapes/shape.h"
#include "kernels/base/philox.h"

namespace diopter {

/// A gradient between colours at the four corners, all near one muted colour.
class Background {
 public:
  explicit Background(Philox& random);
  /// Channel c at (u, v), both from 0 to 1 over the picture.
  float at(float u, float v, int c) const {
    return (1 - v) * ((1 - u) * corner_[0][c] + u * corner_[1][c]) + v * ((1 - u) * corner_[2][c] + u * corner_[3][c]);
  }
  const Colour& base() const { return base_; }

 private:
  Colour base_;
  Colour corner_[4];
};

/// A lively colour that stands out from the background: the first of a few that does so clearly, else the best.
Colour draw_colour(const Background& background, Philox& random);

inline constexpr std::array<const char*, 6> kColourNames = {"red", "green", "blue", "yellow", "magenta", "cyan"};

/// One of the colours of that name (an index of kColourNames); no two names have a colour in common.
Colour draw_named_colour(int name, Philox& random);

}  // namespace diopter
