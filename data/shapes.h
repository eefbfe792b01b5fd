// The built-in synthetic data set: coloured shapes on a noisy background among distractors.
// The foreground-background imbalance is adjustable: by object size, number, noise and contrast.
#pragma once

#include <cstdint>
#include <string>

#include "data/dataset.h"
#include "data/pictures/image.h"

namespace diopter {

struct ShapesOptions {
  int size = 64;  // pictures are size x size pixels
  int min_objects = 1, max_objects = 2;
  float min_object_size = 0.16f, max_object_size = 0.45f;  // of the picture's side
  int distractors = 3;    // most shapes per picture that belong to no class (crosses, lines, rings)
  float noise = 0.08f;    // standard deviation of the pixel noise, of full scale
  float contrast = 1.0f;  // of objects against the background, 0 (invisible) to 1
  float empty = 0.05f;    // share of pictures without objects
  std::uint64_t seed = 0;
};

/// The classes: 1 circle, 2 square, 3 triangle.
std::vector<Category> shapes_categories();

/// Picture `index` of a set and its annotations; depends on the options and index only.
/// Objects are fully inside and overlap each other by at most IoU 0.1.
Image make_shapes_image(const ShapesOptions& options, std::uint64_t index, ImageRecord& record);

/// Writes DIR/images/*.png, DIR/instances_train.json and DIR/instances_val.json. Training and validation pictures
/// come from different indices. `progress(done, total)` is called as it goes. Throws Error for impossible options
/// or an unwritable folder.
void write_shapes(const std::string& dir, int train, int val, const ShapesOptions& options,
                  void (*progress)(int done, int total) = nullptr);

}  // namespace diopter
