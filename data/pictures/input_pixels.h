// Pixels of the network's input: of a part of a picture, mirrored, with other colours, resized and normalised.
#pragma once

#include <vector>

#include "data/pictures/image.h"
#include "data/pictures/window.h"
#include "kernels/nn/pictures.h"

namespace diopter {

/// How pictures are resized.
enum class ResizeFilter {
  bilinear,  // of the normalised picture, without antialiasing (torchvision)
  pillow     // of the 8-bit picture, as Pillow does it (detectron2)
};

/// Changes of brightness and colours, in this order; as it stands, none.
struct ColourChange {
  float brightness = 1, contrast = 1, saturation = 1;  // factors; contrast is about the mean grey of the crop
  float hue = 0;                                       // turns about the grey axis
};

struct PixelPlan {
  Window crop;        // part of the picture
  bool flip = false;  // it is mirrored
  ColourChange colours = {};
  ResizeFilter filter = ResizeFilter::bilinear;
  int width, height;  // to which it is resized
  Window view;        // part of the result

  bool resizes() const { return width != crop.width || height != crop.height; }
};

/// What the change does to the pixels of a window, about whose mean grey contrast is.
ColourMap colour_map(const Image& image, const Window& window, const ColourChange& change);

/// [view.height, view.width, 3]. Only those pixels of the picture are made that some pixel of the view is a mean of.
std::vector<float> input_pixels(const Image& image, const PixelPlan& plan, const Normalisation& norm);

}  // namespace diopter
