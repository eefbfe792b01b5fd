// Contents of a data set and its faults: pictures that cannot be read, boxes without area, outside, twice.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "data/unreadable_pictures.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Occurrences of one kind: their number, and the first few with their place.
struct Findings {
  static constexpr std::size_t kExamples = 3;
  std::int64_t count = 0;
  std::vector<std::string> examples;

  void add(const std::string& example);
};

/// How values are distributed; all 0 when there are none.
struct Spread {
  double min = 0, p5 = 0, median = 0, p95 = 0, max = 0;
};

/// Percentiles are the values of the nearest rank.
Spread spread_of(std::vector<double> values);

struct PictureCheck {
  bool opened = false;  // false: the pictures were not looked at
  Findings missing;     // no such file
  Findings undecodable;
  Findings other_size;     // the annotations state another one; the decoded picture's counts
  Findings unknown_size;   // not opened, and the annotations state none
  std::int64_t bytes = 0;  // of the decoded pictures, 8-bit RGB
  Findings dark;           // nothing in it reaches a quarter of white
  Findings several;        // files with pages or frames behind the one that is read
  int greatest = 0;        // sample of those with more than 8 bits
};

/// Looks at every picture (when `open`) and sets each ImageRecord's size to the true one. Pictures that training could
/// not use are removed from the set. `progress(done, total)` is called now and then and may throw to stop; may be
/// empty. `white` as in read_image. What only the pixels tell needs a look at the whole pictures.
PictureCheck check_pictures(Dataset& dataset, bool open, int white,
                            const std::function<void(std::int64_t done, std::int64_t total)>& progress,
                            Look look = Look::whole);

struct ClassCount {
  std::string name;
  std::int64_t boxes = 0, pictures = 0;
};

/// Sizes are square roots of areas, in pixels. An object is a box that training learns from: neither crowd nor
/// difficult, and at least one pixel wide and high at the network's input.
struct DatasetReport {
  std::int64_t pictures = 0, empty_pictures = 0;  // empty: without objects
  std::int64_t boxes = 0, crowd = 0, difficult = 0, objects = 0;
  Spread objects_per_picture;
  Spread width, height, input_width, input_height;  // of the pictures, and at the network's input
  Spread size, input_size;                          // of the objects
  std::int64_t below_stride = 0;                    // objects that are smaller at the input than the finest stride
  std::array<std::int64_t, 3> by_area{};            // objects below 32^2, below 96^2 (COCO's small and medium), above
  std::vector<ClassCount> classes;                  // objects, in the order of the categories

  Findings degenerate;      // zero width or height
  Findings outside;         // nothing of it lies in the picture
  Findings partly_outside;  // it reaches more than a pixel beyond the border
  Findings vanishing;       // less than a pixel wide or high at the network's input
  Findings duplicates;      // the same box of the same class again
  Findings contradictions;  // the same box with another class
  Findings crowded;         // pictures with more objects than detect.max_detections
};

/// All pictures must have sizes: see check_pictures.
DatasetReport lint(const Dataset& dataset, const Config& config);

}  // namespace diopter
