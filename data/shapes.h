// The built-in synthetic data set: coloured shapes on a noisy background among distractors.
// The foreground-background imbalance is adjustable: by number and size of objects, by classes, and by empty pictures;
// the difficulty by distractors, noise, contrast and missing labels (docs/shapes.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

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
  // A class is a form, a colour and a texture: forms x colours x textures of them.
  int forms = 3;      // 1 to 8
  int colours = 1;    // 1 to 6; 1: colours are random and tell nothing
  int textures = 1;   // 1 to 3
  float parts = 0;    // share of the distractors that are torn parts of objects
  float missing = 0;  // share of the training set's boxes that are left out; their objects are in the pictures
  // Patterned grounds; objects at any angle, narrower ones, behind lines; another light and focus in each picture. With
  // one texture, textures are random and tell nothing.
  bool rich = false;
  std::uint64_t seed = 0;

  int classes() const { return forms * colours * textures; }
};

/// The classes, ids from 1 on: circle, square, triangle; with colours and textures "red striped circle".
std::vector<Category> shapes_categories(const ShapesOptions& options = {});

/// Picture `index` of a set and all its annotations; depends on the options and index only.
/// Objects are fully inside and overlap each other by at most IoU 0.1. Throws Error for impossible options.
Image make_shapes_image(const ShapesOptions& options, std::uint64_t index, ImageRecord& record);

/// As make_shapes_image, with quicker pixel noise of the same distribution (data/shapes/quick_normals.h).
Image make_shapes_image_quickly(const ShapesOptions& options, std::uint64_t index, ImageRecord& record);

/// Leaves out the annotations of picture `index` that a training set does not have (options.missing).
void leave_out_labels(const ShapesOptions& options, std::uint64_t index, ImageRecord& record);

/// Writes DIR/images/*.png, DIR/instances_train.json and DIR/instances_val.json. Training and validation pictures
/// come from different indices; only training annotations are left out. `progress(done, total)` is called as it goes.
/// Throws Error for impossible options or an unwritable folder.
void write_shapes(const std::string& dir, int train, int val, const ShapesOptions& options,
                  void (*progress)(int done, int total) = nullptr);

}  // namespace diopter
