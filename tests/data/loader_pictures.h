// Pictures and options for tests of loaders.
#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include "data/loader.h"
#include "data/shapes.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

namespace diopter::test {

/// Eleven small pictures of shapes on disk, removed afterwards.
struct Pictures {
  TemporaryFolder folder;
  Dataset dataset{shapes_categories(), {}, {}};

  Pictures() {
    ShapesOptions options;
    options.size = 32;
    for (int i = 0; i < 11; ++i) {
      ImageRecord record;
      const Image image = make_shapes_image(options, i, record);
      record.id = 100 + i;
      record.name = std::to_string(i) + ".png";
      record.file = folder / record.name;
      write_image(record.file, image);
      dataset.images.push_back(record);
    }
  }

  void break_picture(int i) const { std::ofstream(dataset.images[i].file) << "no picture"; }
};

inline LoaderOptions busy_options() {
  LoaderOptions options;
  options.batch_size = 4;
  options.seed = 3;
  options.resize = {.kind = ResizeRule::Kind::shorter_side, .min_sizes = {24, 32, 40}, .max_size = 64, .round = false};
  options.augment = {.flip = 0.5f,
                     .vertical_flip = 0.3f,
                     .turn = 0.5f,
                     .scale_min = 0.7f,
                     .scale_max = 1.4f,
                     .crop = 0.5f,
                     .crop_min = 0.5f,
                     .brightness = 0.2f,
                     .contrast = 0.2f,
                     .saturation = 0.2f,
                     .hue = 0.1f,
                     .ramp_epochs = 1.5f};
  return options;
}

inline void require_equal(const Batch& a, const Batch& b) {
  REQUIRE(a.images == b.images);
  REQUIRE(a.height == b.height);
  REQUIRE(a.width == b.width);
  REQUIRE((a.pixels == b.pixels));
  REQUIRE((a.boxes == b.boxes));
  REQUIRE(a.labels == b.labels);
  REQUIRE(a.offsets == b.offsets);
  REQUIRE(a.sizes == b.sizes);
  REQUIRE(a.original_sizes == b.original_sizes);
  REQUIRE(a.image_ids == b.image_ids);
  REQUIRE(a.names == b.names);
}

inline std::vector<Batch> take(Loader& loader, int count) {
  std::vector<Batch> batches;
  for (int i = 0; i < count; ++i) batches.push_back(loader.next());
  return batches;
}

}  // namespace diopter::test
