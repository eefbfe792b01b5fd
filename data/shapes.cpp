#include "data/shapes.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <vector>

#include "data/readers/coco.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/base/philox.h"

namespace diopter {

namespace {

using Colour = std::array<float, 3>;  // from 0 to 1

enum Kind { kCircle, kSquare, kTriangle, kCross, kLine, kRing };  // the first three are the classes, in this order

constexpr std::uint64_t kValidation = std::uint64_t{1} << 32;  // first index of the validation pictures
constexpr std::uint64_t kNoise = std::uint64_t{1} << 63;       // streams of the pixel noise
constexpr float kMaxTilt = 0.26f;                              // of squares and triangles: 15 degrees
constexpr float kMaxIou = 0.1f;
constexpr double kMinPixels = 3;   // smaller objects look all the same
constexpr double kMaxFill = 0.45;  // share of a picture that random placing can fill

/// A shape about (x, y): points are asked for in its own frame, turned by -angle and divided by `scale`.
struct Shape {
  Kind kind;
  float angle, x, y, scale;
  Colour colour;

  bool inside(float px, float py) const {
    const float dx = (px - x) / scale, dy = (py - y) / scale;
    const float u = dx * std::cos(angle) + dy * std::sin(angle), v = dy * std::cos(angle) - dx * std::sin(angle);
    const float radius2 = u * u + v * v;
    switch (kind) {
      case kCircle: return radius2 <= 1;
      case kSquare: return std::max(std::fabs(u), std::fabs(v)) <= 1;
      case kTriangle: return v <= 0.5f && v >= 1.7320508f * std::fabs(u) - 1;  // equilateral, apex at (0, -1)
      case kCross: return std::max(std::fabs(u), std::fabs(v)) <= 1 && std::min(std::fabs(u), std::fabs(v)) <= 0.2f;
      case kLine: return std::fabs(u) <= 1 && std::fabs(v) <= 0.1f;
      case kRing: return radius2 <= 1 && radius2 >= 0.55f;
    }
    return false;
  }
};

/// The tight box of a class's shape of scale 1 about the origin.
Box unit_box(Kind kind, float angle) {
  if (kind == kCircle) return {-1, -1, 1, 1};
  const std::vector<std::array<float, 2>> corners =
      kind == kSquare ? std::vector<std::array<float, 2>>{{-1, -1}, {1, -1}, {1, 1}, {-1, 1}}
                      : std::vector<std::array<float, 2>>{{0, -1}, {0.8660254f, 0.5f}, {-0.8660254f, 0.5f}};
  Box box{2, 2, -2, -2};
  for (const auto& [u, v] : corners) {
    const float x = u * std::cos(angle) - v * std::sin(angle), y = u * std::sin(angle) + v * std::cos(angle);
    box = {std::min(box.x1, x), std::min(box.y1, y), std::max(box.x2, x), std::max(box.y2, y)};
  }
  return box;
}

/// A gradient between colours at the four corners, all near one muted colour.
struct Background {
  Colour base;
  Colour corner[4];

  explicit Background(Philox& random) {
    const float grey = random.uniform(0.2f, 0.75f);
    for (float& b : base) b = grey + random.uniform(-0.07f, 0.07f);
    for (Colour& colour : corner) {
      const float light = random.uniform(-0.13f, 0.13f);
      for (int c = 0; c < 3; ++c) colour[c] = std::clamp(base[c] + light + random.uniform(-0.04f, 0.04f), 0.0f, 1.0f);
    }
  }
  float at(float u, float v, int c) const {
    return (1 - v) * ((1 - u) * corner[0][c] + u * corner[1][c]) + v * ((1 - u) * corner[2][c] + u * corner[3][c]);
  }
};

Colour from_hsv(float hue, float saturation, float value) {
  Colour colour;
  for (int c = 0; c < 3; ++c) {
    const float k = std::fmod(6 * hue + static_cast<float>(5 - 2 * c), 6.0f);
    colour[c] = value * (1 - saturation * std::clamp(std::min(k, 4 - k), 0.0f, 1.0f));
  }
  return colour;
}

/// A lively colour that stands out from the background: the first of a few that does so clearly, else the best.
Colour draw_colour(const Background& background, Philox& random) {
  Colour best{};
  float best_distance = -1;
  for (int attempt = 0; attempt < 8 && best_distance < 0.6f; ++attempt) {
    const float hue = random.uniform(), saturation = random.uniform(0.6f, 1), value = random.uniform(0.5f, 1);
    const Colour colour = from_hsv(hue, saturation, value);
    float distance = 0;
    for (int c = 0; c < 3; ++c) distance += std::fabs(colour[c] - background.base[c]);
    if (distance > best_distance) {
      best = colour;
      best_distance = distance;
    }
  }
  return best;
}

struct Placed {
  Shape shape;
  Box box;
};

/// `count` objects of min_size to max_size pixels; fewer where they find no room.
std::vector<Placed> place_objects(float side, int count, float min_size, float max_size, Philox& random) {
  constexpr int kAttempts = 60;
  std::vector<Placed> placed;
  for (int attempt = 0; attempt < kAttempts * count && static_cast<int>(placed.size()) < count; ++attempt) {
    const Kind kind = static_cast<Kind>(random.below(3));
    const float angle = kind == kCircle ? 0 : random.uniform(-kMaxTilt, kMaxTilt);
    const float size = random.uniform(min_size, max_size), u = random.uniform(), v = random.uniform();
    const Box unit = unit_box(kind, angle);
    const float scale = size / std::max(unit.x2 - unit.x1, unit.y2 - unit.y1);
    const float width = (unit.x2 - unit.x1) * scale, height = (unit.y2 - unit.y1) * scale;
    const float x1 = u * (side - width), y1 = v * (side - height);
    const Box box{x1, y1, std::min(x1 + width, side), std::min(y1 + height, side)};
    const bool free = std::none_of(placed.begin(), placed.end(),
                                   [&](const Placed& other) { return box_iou(box, other.box) > kMaxIou; });
    if (free) placed.push_back({{kind, angle, x1 - unit.x1 * scale, y1 - unit.y1 * scale, scale, {}}, box});
  }
  return placed;
}

std::vector<Placed> draw_objects(const ShapesOptions& options, const Background& background, Philox& random) {
  const bool empty = random.uniform() < options.empty;
  const int count = options.min_objects + static_cast<int>(random.below(options.max_objects - options.min_objects + 1));
  std::vector<Placed> placed;
  if (empty) return placed;
  const float side = static_cast<float>(options.size);
  const float min_size = options.min_object_size * side, max_size = options.max_object_size * side;
  constexpr int kAttempts = 8;  // where it is too crowded: once more with smaller objects
  for (int attempt = 0; attempt < kAttempts && static_cast<int>(placed.size()) < count; ++attempt) {
    const float share = static_cast<float>(attempt) / (kAttempts - 1);
    placed = place_objects(side, count, min_size, max_size + share * (min_size - max_size), random);
  }
  for (Placed& object : placed) object.shape.colour = draw_colour(background, random);
  return placed;
}

/// A cross, line or ring, if it can be away from the objects; it may reach out of the picture.
Shape draw_distractor(const ShapesOptions& options, const Background& background, const std::vector<Placed>& objects,
                      Philox& random) {
  constexpr int kAttempts = 6;
  const float side = static_cast<float>(options.size);
  Shape shape{};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Kind kind = static_cast<Kind>(kCross + random.below(3));
    const float angle = random.uniform(0, 3.1415927f), x = random.uniform(0, side), y = random.uniform(0, side);
    const float radius = 0.5f * side * random.uniform(options.min_object_size, options.max_object_size);
    shape = {kind, angle, x, y, radius, {}};
    const Box box{x - radius, y - radius, x + radius, y + radius};
    const bool free = std::none_of(objects.begin(), objects.end(),
                                   [&](const Placed& object) { return box_intersection(box, object.box) > 0; });
    if (free) break;
  }
  shape.colour = draw_colour(background, random);
  return shape;
}

/// Blends the shape into the picture by the share of each pixel that it covers (4 x 4 points per pixel). With less
/// contrast its colour is nearer to that of the ground, the picture without shapes.
void paint(const Shape& shape, float contrast, int size, const std::vector<float>& ground, std::vector<float>& rgb) {
  constexpr int kPoints = 4;
  const float reach = 1.5f * shape.scale;  // the corners of a turned square
  const auto pixel = [&](float v) { return std::clamp(static_cast<int>(std::floor(v)), 0, size - 1); };
  for (int y = pixel(shape.y - reach); y <= pixel(shape.y + reach); ++y) {
    for (int x = pixel(shape.x - reach); x <= pixel(shape.x + reach); ++x) {
      int hits = 0;
      for (int i = 0; i < kPoints * kPoints; ++i) {
        const float px = static_cast<float>(x) + (static_cast<float>(i % kPoints) + 0.5f) / kPoints;
        const float py = static_cast<float>(y) + (static_cast<float>(i / kPoints) + 0.5f) / kPoints;
        hits += shape.inside(px, py);
      }
      const float cover = static_cast<float>(hits) / (kPoints * kPoints);
      const std::size_t at = (static_cast<std::size_t>(y) * size + x) * 3;
      for (int c = 0; c < 3; ++c) {
        const float colour = ground[at + c] + contrast * (shape.colour[c] - ground[at + c]);
        rgb[at + c] += cover * (colour - rgb[at + c]);
      }
    }
  }
}

/// Throws Error unless pictures can be made by these options. Comparisons are such that NaN fails.
void check(const ShapesOptions& o) {
  DIOPTER_CHECK(o.size >= 16 && o.size <= 4096, "shapes: size is ", o.size, ", must be from 16 to 4096 pixels");
  DIOPTER_CHECK(o.min_objects >= 0 && o.min_objects <= o.max_objects, "shapes: objects from ", o.min_objects, " to ",
                o.max_objects, " are no range");
  DIOPTER_CHECK(o.min_object_size > 0 && o.min_object_size <= o.max_object_size && o.max_object_size <= 1,
                "shapes: object sizes from ", o.min_object_size, " to ", o.max_object_size,
                " of the picture are no range within 0 and 1");
  const double smallest = static_cast<double>(o.min_object_size);
  DIOPTER_CHECK(smallest * o.size >= kMinPixels, "shapes: the smallest objects have ", smallest * o.size,
                " pixels, must have at least ", kMinPixels);
  DIOPTER_CHECK(o.max_objects <= 1 || o.max_objects * smallest * smallest <= kMaxFill, "shapes: ", o.max_objects,
                " objects of ", o.min_object_size, " of the picture's side do not fit into a picture");
  DIOPTER_CHECK(o.distractors >= 0 && o.distractors <= 1000, "shapes: distractors is ", o.distractors,
                ", must be from 0 to 1000");
  DIOPTER_CHECK(o.noise >= 0 && o.noise <= 1, "shapes: noise is ", o.noise, ", must be from 0 to 1");
  DIOPTER_CHECK(o.contrast >= 0 && o.contrast <= 1, "shapes: contrast is ", o.contrast, ", must be from 0 to 1");
  DIOPTER_CHECK(o.empty >= 0 && o.empty <= 1, "shapes: share of empty pictures is ", o.empty, ", must be from 0 to 1");
}

std::string picture_name(int number) {
  char name[32];
  std::snprintf(name, sizeof name, "%06d.png", number);
  return name;
}

}  // namespace

std::vector<Category> shapes_categories() { return {{1, "circle"}, {2, "square"}, {3, "triangle"}}; }

Image make_shapes_image(const ShapesOptions& options, std::uint64_t index, ImageRecord& record) {
  check(options);
  Philox random(options.seed, index);
  const Background background(random);
  const std::vector<Placed> objects = draw_objects(options, background, random);
  std::vector<Shape> distractors(random.below(options.distractors + 1));
  for (Shape& d : distractors) d = draw_distractor(options, background, objects, random);

  const int size = options.size;
  std::vector<float> ground;
  ground.reserve(static_cast<std::size_t>(size) * size * 3);
  for (int y = 0; y < size; ++y) {
    for (int x = 0; x < size; ++x) {
      const float u = (static_cast<float>(x) + 0.5f) / static_cast<float>(size);
      const float v = (static_cast<float>(y) + 0.5f) / static_cast<float>(size);
      for (int c = 0; c < 3; ++c) ground.push_back(background.at(u, v, c));
    }
  }
  std::vector<float> rgb = ground;
  for (const Shape& distractor : distractors) paint(distractor, options.contrast, size, ground, rgb);
  for (const Placed& object : objects) paint(object.shape, options.contrast, size, ground, rgb);

  Image image{size, size, std::vector<std::uint8_t>(rgb.size())};
  Philox noise(options.seed, index | kNoise);
  for (std::size_t i = 0; i < rgb.size(); ++i) {
    const float value = rgb[i] + (options.noise > 0 ? options.noise * noise.normal() : 0);
    image.rgb[i] = static_cast<std::uint8_t>(std::clamp(value, 0.0f, 1.0f) * 255 + 0.5f);
  }

  record = {
      .id = static_cast<std::int64_t>(index), .file = "", .name = "", .width = size, .height = size, .annotations = {}};
  for (const auto& [shape, box] : objects) {
    const double x = box.x1, y = box.y1;
    const Rect rect{x, y, double{box.x2} - x, double{box.y2} - y};
    const auto id = static_cast<std::int64_t>(record.annotations.size() + 1);
    record.annotations.push_back({.id = id, .category = shape.kind, .rect = rect, .area = rect.w * rect.h});
  }
  return image;
}

void write_shapes(const std::string& dir, int train, int val, const ShapesOptions& options,
                  void (*progress)(int done, int total)) {
  namespace fs = std::filesystem;
  check(options);
  DIOPTER_CHECK(train >= 0 && val >= 0 && (train > 0 || val > 0), "shapes: cannot make a set of ", train,
                " training and ", val, " validation pictures");
  const fs::path images = fs::path(dir) / "images";
  const std::string files[2] = {fs::path(dir) / "instances_train.json", fs::path(dir) / "instances_val.json"};
  std::error_code error;
  fs::create_directories(images, error);
  if (error) fail(images.string(), ": cannot make the folder: ", error.message());
  // Annotations are there only when the pictures that they describe are.
  for (const std::string& file : files) fs::remove(file, error);

  std::vector<ImageRecord> records(static_cast<std::size_t>(train) + val);
  std::mutex mutex;
  int done = 0;
  const int total = static_cast<int>(records.size());
  parallel_for(total, 1, [&](std::int64_t begin, std::int64_t) {
    const int i = static_cast<int>(begin);
    const std::uint64_t index = i < train ? static_cast<std::uint64_t>(i) : kValidation + (i - train);
    ImageRecord& record = records[i];
    const Image image = make_shapes_image(options, index, record);
    record.id = i + 1;
    record.name = picture_name(i + 1);
    record.file = images / record.name;
    write_image(record.file, image);
    if (progress) {
      const std::lock_guard lock(mutex);
      progress(++done, total);
    }
  });

  Dataset sets[2] = {{shapes_categories(), {}, {}}, {shapes_categories(), {}, {}}};
  for (int i = 0; i < total; ++i) sets[i >= train].images.push_back(std::move(records[i]));
  for (int s = 0; s < 2; ++s) {
    std::int64_t id = 0;
    for (ImageRecord& record : sets[s].images) {
      for (Annotation& a : record.annotations) a.id = ++id;
    }
    write_coco(files[s], sets[s]);
  }
}

}  // namespace diopter
