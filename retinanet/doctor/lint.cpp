#include "retinanet/doctor/lint.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <tuple>

#include "data/pictures/image.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

struct Decoded {
  int width = 0, height = 0;  // 0: it could not be decoded
  std::string error = {};
  int brightest = 0, greatest = 0;  // byte; sample, of pictures of more than 8 bits
  bool more = false;
};

Decoded decode(const std::string& file, int white, Look look) {
  constexpr int kWhite = 255;
  try {
    if (look == Look::header) {
      Decoded header{.brightest = kWhite};
      read_image_size(file, header.width, header.height);
      return header;
    }
    const Image image = read_image(file, white);
    return {.width = image.width,
            .height = image.height,
            .brightest = *std::max_element(image.rgb.begin(), image.rgb.end()),
            .greatest = image.greatest,
            .more = image.more};
  } catch (const Error& error) {
    return {.error = error.what()};
  }
}

/// Compares the picture with its annotations; false when it is of no use.
bool check_picture(ImageRecord& record, const Decoded& decoded, PictureCheck& check) {
  constexpr int kNearlyBlack = 64;
  if (decoded.width == 0) {
    Findings& kind = std::filesystem::exists(record.file) ? check.undecodable : check.missing;
    kind.add(&kind == &check.missing ? record.file : decoded.error);
    return false;
  }
  const bool stated = record.width > 0 && record.height > 0;
  if (stated && (record.width != decoded.width || record.height != decoded.height)) {
    std::ostringstream text;
    text << record.name << " has " << decoded.width << " x " << decoded.height << " pixels, the annotations say "
         << record.width << " x " << record.height;
    check.other_size.add(text.str());
  }
  record.width = decoded.width;
  record.height = decoded.height;
  check.bytes += std::int64_t{3} * decoded.width * decoded.height;
  if (decoded.brightest < kNearlyBlack) check.dark.add(record.name);
  if (decoded.more) check.several.add(record.name);
  check.greatest = std::max(check.greatest, decoded.greatest);
  return true;
}

std::string describe(const Dataset& dataset, const ImageRecord& record, const Annotation& a) {
  std::ostringstream text;
  text << record.name << " annotation " << a.id << " (" << dataset.categories[a.category].name << " [" << a.rect.x
       << ", " << a.rect.y << ", " << a.rect.w << ", " << a.rect.h << "])";
  return text.str();
}

/// Sorts a box into the findings about its place; whether it can be an object.
bool check_box(const Dataset& dataset, const ImageRecord& record, const Annotation& a, const Box& input,
               DatasetReport& report) {
  constexpr double kTolerance = 1;  // pixels: VOC files count from 0 or from 1
  const Rect& r = a.rect;
  const double w = record.width, h = record.height;
  if (r.w <= 0 || r.h <= 0) {
    report.degenerate.add(describe(dataset, record, a));
  } else if (r.x >= w || r.y >= h || r.x + r.w <= 0 || r.y + r.h <= 0) {
    report.outside.add(describe(dataset, record, a));
  } else {
    if (r.x < -kTolerance || r.y < -kTolerance || r.x + r.w > w + kTolerance || r.y + r.h > h + kTolerance) {
      report.partly_outside.add(describe(dataset, record, a));
    }
    if (is_kept(input)) return true;
    report.vanishing.add(describe(dataset, record, a));
  }
  return false;
}

void check_repetitions(const Dataset& dataset, const ImageRecord& record, DatasetReport& report) {
  std::map<std::tuple<double, double, double, double>, std::set<int>> classes_at;
  for (const Annotation& a : record.annotations) {
    if (a.crowd) continue;
    std::set<int>& classes = classes_at[{a.rect.x, a.rect.y, a.rect.w, a.rect.h}];
    const bool first_here = classes.empty();
    if (!classes.insert(a.category).second) {
      report.duplicates.add(describe(dataset, record, a));
    } else if (!first_here) {
      report.contradictions.add(describe(dataset, record, a));
    }
  }
}

}  // namespace

void Findings::add(const std::string& example) {
  if (++count <= static_cast<std::int64_t>(kExamples)) examples.push_back(example);
}

Spread spread_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(std::lround(share * static_cast<double>(values.size() - 1)))];
  };
  return {values.front(), at(0.05), at(0.5), at(0.95), values.back()};
}

PictureCheck check_pictures(Dataset& dataset, bool open, int white,
                            const std::function<void(std::int64_t, std::int64_t)>& progress, Look look) {
  constexpr std::int64_t kAtOnce = 32;  // between two calls of progress
  PictureCheck check;
  check.opened = open;
  if (!open) {
    std::erase_if(dataset.images, [&](const ImageRecord& record) {
      const bool unknown = record.width <= 0 || record.height <= 0;
      if (unknown) check.unknown_size.add(record.name);
      check.bytes += std::int64_t{3} * record.width * record.height;
      return unknown;
    });
    return check;
  }
  const std::int64_t count = static_cast<std::int64_t>(dataset.images.size());
  std::vector<Decoded> decoded(dataset.images.size());
  for (std::int64_t first = 0; first < count; first += kAtOnce) {
    const std::int64_t n = std::min(kAtOnce, count - first);
    parallel_for(n, 1, [&](std::int64_t i, std::int64_t) {
      decoded[first + i] = decode(dataset.images[first + i].file, white, look);
    });
    if (progress) progress(first + n, count);
  }
  std::vector<ImageRecord> usable;
  for (std::int64_t i = 0; i < count; ++i) {
    if (check_picture(dataset.images[i], decoded[i], check)) usable.push_back(std::move(dataset.images[i]));
  }
  dataset.images = std::move(usable);
  return check;
}

/// Objects of the view that has the most.
std::int64_t most_in_view(const ImageRecord& record, const TileRule& tiles) {
  std::int64_t most = 0;
  for (const Window& view : views_of(tiles, record.width, record.height)) {
    const ImageRecord seen = record_of_view(record, view, record.width, record.height);
    most = std::max(most, std::count_if(seen.annotations.begin(), seen.annotations.end(),
                                        [](const Annotation& a) { return !a.crowd && !a.difficult; }));
  }
  return most;
}

DatasetReport lint(const Dataset& dataset, const Config& config) {
  DatasetReport report;
  report.pictures = static_cast<std::int64_t>(dataset.images.size());
  for (const Category& c : dataset.categories) report.classes.push_back({c.name});
  const double stride = std::ldexp(1.0, config.model.min_level);
  std::vector<double> per_picture, widths, heights, input_widths, input_heights, sizes, input_sizes;
  for (const ImageRecord& record : dataset.images) {
    const InputSize size = input_size(config, record.width, record.height);
    widths.push_back(record.width);
    heights.push_back(record.height);
    input_widths.push_back(size.width);
    input_heights.push_back(size.height);

    std::int64_t objects = 0;
    std::set<int> classes;
    for (const Annotation& a : record.annotations) {
      const Box box = input_box(a.rect, record.width, record.height, size);
      const bool usable = check_box(dataset, record, a, box, report);
      report.crowd += a.crowd;
      report.difficult += a.difficult;
      if (!usable || a.crowd || a.difficult) continue;
      ++objects;
      ++report.classes[a.category].boxes;
      classes.insert(a.category);
      const double area = a.rect.w * a.rect.h;
      ++report.by_area[area < 32 * 32 ? 0 : area < 96 * 96 ? 1 : 2];
      sizes.push_back(std::sqrt(area));
      input_sizes.push_back(std::sqrt(static_cast<double>(box_area(box))));
      report.below_stride += input_sizes.back() < stride;
    }
    check_repetitions(dataset, record, report);
    for (int c : classes) ++report.classes[c].pictures;
    report.boxes += static_cast<std::int64_t>(record.annotations.size());
    report.objects += objects;
    report.empty_pictures += objects == 0;
    per_picture.push_back(static_cast<double>(objects));
    if (most_in_view(record, tile_rule(config)) > config.detect.max_detections) {
      report.crowded.add(record.name + " with " + std::to_string(objects));
    }
  }
  report.objects_per_picture = spread_of(std::move(per_picture));
  report.width = spread_of(std::move(widths));
  report.height = spread_of(std::move(heights));
  report.input_width = spread_of(std::move(input_widths));
  report.input_height = spread_of(std::move(input_heights));
  report.size = spread_of(std::move(sizes));
  report.input_size = spread_of(std::move(input_sizes));
  return report;
}

}  // namespace diopter
