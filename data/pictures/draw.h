// Drawing of boxes with their labels, and of detections, onto pictures, and cut-outs around a box.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/pictures/image.h"
#include "data/pictures/window.h"
#include "kernels/detection/box.h"

namespace diopter {

using Colour = std::array<std::uint8_t, 3>;

/// A colour for each class, well apart for neighbouring numbers.
Colour class_colour(int category);

/// Draws the outline of `box` (clipped to the picture) and, where `label` is not empty, the label on a filled
/// background above it, or inside where there is no room. Line width and text size follow the picture's size.
/// Characters outside ASCII are shown as '?'.
void draw_box(Image& image, const Box& box, const std::string& label, Colour colour);

/// Enlarges the picture by an integer factor so that its shorter side has at least `side` pixels, but the longer one no
/// more than 4096; the factor is returned.
int enlarge(Image& image, int side);

/// Takes every n-th pixel both ways so that no side is longer than `side`; n is returned.
int reduce(Image& image, int side);

/// Draws the detections with at least `min_score`, and the ground truth's boxes thinly where there are any, onto the
/// picture, enlarged when it is small, and reduced to what a JPEG file can hold.
Image draw_detections(Image image, const std::vector<Annotation>& truth, const std::vector<DetectedBox>& detections,
                      const std::vector<std::string>& classes, float min_score);

/// The box and half of its longer side around it, as far as a picture of width x height reaches; of width 0 where the
/// box lies outside.
Window window_around(const Rect& rect, int width, int height);

}  // namespace diopter
