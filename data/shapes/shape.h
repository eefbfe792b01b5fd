// Plane shapes of the synthetic pictures: their forms, where they cover the plane, and their textures.
// A shape has a frame of its own: u to the right and v down from its centre, one unit long where `scale` is 1.
#pragma once

#include <array>

#include "kernels/detection/box.h"

namespace diopter {

using Colour = std::array<float, 3>;  // from 0 to 1

/// The first kClassForms are those of classes, in this order; the others belong to no class.
enum class Form { circle, square, triangle, star, bar, corner, arrow, bow_tie, cross, line, ring };
inline constexpr int kClassForms = 8;
inline constexpr std::array<const char*, kClassForms> kFormNames = {"circle", "square", "triangle", "star",
                                                                    "bar",    "corner", "arrow",    "bow tie"};

/// Dark bands or squares on the shape's colour.
enum class Texture { plain, striped, checked };
inline constexpr int kTextures = 3;
inline constexpr std::array<const char*, kTextures> kTextureNames = {"plain", "striped", "checked"};

/// A point in a shape's frame.
struct FramePoint {
  float u, v;
};

/// A ragged tear through a shape: of a part of an object what lies beyond it, in the direction `angle`, is left.
struct Tear {
  float angle, offset;

  bool leaves(const FramePoint& point) const;
};

struct PlaneShape {
  Form form;
  float angle, x, y, scale;  // turned by `angle` about its centre (x, y), in pixels
  Colour colour;
  Texture texture = Texture::plain;
  float height = 1;  // of the frame: v is so many times as long as u, at most 1

  bool covers(const FramePoint& point) const;
  /// Whether the texture is dark there.
  bool dark(const FramePoint& point) const;
};

/// From the picture to the frame of a shape.
class Frame {
 public:
  explicit Frame(const PlaneShape& shape);
  FramePoint operator()(float px, float py) const {
    const float dx = (px - x_) / scale_, dy = (py - y_) / scale_;
    return {dx * cos_ + dy * sin_, (dy * cos_ - dx * sin_) / height_};
  }

 private:
  float x_, y_, scale_, cos_, sin_, height_;
};

/// How far a form of scale 1 reaches from its centre, or a little more.
float outer_radius(Form form);

/// The tight box of a class's form of scale 1 about the origin, its height multiplied by `height` and then turned by
/// `angle`.
Box unit_box(Form form, float angle, float height = 1);

}  // namespace diopter
