// Helpers of the detector's tests: small configurations, data sets on disk and error messages.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "data/readers/coco.h"
#include "data/shapes.h"
#include "kernels/base/check.h"
#include "retinanet/config/config.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/presets.h"
#include "tests/support/files.h"

namespace diopter::test {

/// The preset with overrides.
inline Config configured(const std::string& name, const std::vector<std::string>& settings) {
  Config config = preset(name);
  for (const std::string& setting : settings) set_config(config, setting);
  check_config(config);
  return config;
}

/// A detector of some thousand parameters for pictures of 32 pixels, and a run of a few steps.
inline Config tiny_config(const std::vector<std::string>& settings = {}) {
  Config config =
      configured("small_sgd", {"model.width=4", "model.groups=4", "model.fpn_channels=8", "model.head_depth=1",
                               "anchors.scales=[1, 1.5]", "anchors.ratios=[1]", "input.min_sizes=[32]",
                               "input.max_size=32", "train.iterations=20", "train.batch_size=2",
                               "train.warmup_iterations=2", "train.lr=0.05", "train.evaluate_every=0",
                               "train.save_every=0", "train.log_every=5", "train.pictures=2", "detect.batch_size=4"});
  for (const std::string& setting : settings) set_config(config, setting);
  check_config(config);
  return config;
}

/// Eleven pictures of 32 pixels to train on and five to validate on.
struct ShapesOnDisk {
  TemporaryFolder folder;
  Dataset train, validation;

  ShapesOnDisk() {
    ShapesOptions options;
    options.size = 32;
    options.min_object_size = 0.3f;
    options.max_object_size = 0.6f;
    options.seed = 5;
    write_shapes(folder / "shapes", 11, 5, options);
    train = read_coco(folder / "shapes/instances_train.json", {.images = folder / "shapes/images"});
    validation = read_coco(folder / "shapes/instances_val.json", {.images = folder / "shapes/images"});
  }
};

}  // namespace diopter::test
