// Drawing of boxes with their labels onto pictures.
#pragma once

#include <array>
#include <string>

#include "data/pictures/image.h"
#include "kernels/detection/box.h"

namespace diopter {

using Colour = std::array<std::uint8_t, 3>;

/// A colour for each class, well apart for neighbouring numbers.
Colour class_colour(int category);

/// Draws the outline of `box` (clipped to the picture) and, where `label` is not empty, the label on a filled background
/// above it, or inside where there is no room. Line width and text size follow the picture's size.
/// Characters outside ASCII are shown as '?'.
void draw_box(Image& image, const Box& box, const std::string& label, Colour colour);

/// Enlarges the picture by an integer factor so that its shorter side has at least `side` pixels; `factor` is returned.
int enlarge(Image& image, int side);

}  // namespace diopter
