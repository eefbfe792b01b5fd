#include "data/shapes.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <mutex>
#include <numbers>
#include <optional>
#include <vector>

#include "data/readers/coco.h"
#include "data/shapes/colours.h"
#include "data/shapes/pixels.h"
#include "data/shapes/quick_normals.h"
#include "data/shapes/rich.h"
#include "data/shapes/shape.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/base/philox.h"

namespace diopter {

namespace {

constexpr std::uint64_t kValidation = std::uint64_t{1} << 32;  // first index of the validation pictures
constexpr std::uint64_t kNoise = std::uint64_t{1} << 63;       // streams of the pixel noise
constexpr std::uint64_t kMissing = std::uint64_t{1} << 62;     // streams that choose the labels that are missing
constexpr std::uint64_t kRich = std::uint64_t{1} << 60;        // streams of patterns and light
constexpr float kPi = std::numbers::pi_v<float>;
constexpr float kMaxTilt = 0.26f;   // of squares and triangles: 15 degrees
constexpr float kNarrowest = 0.6f;  // of a rich picture's objects: height to width
constexpr float kFaintest = 0.35f;  // of a rich picture's objects: contrast
constexpr float kMaxIou = 0.1f;
constexpr double kMinPixels = 3;   // smaller objects look all the same
constexpr double kMaxFill = 0.45;  // share of a picture that random placing can fill

struct Placed {
  PlaneShape shape;
  Box box;
  int colour;  // of the class; 0 where colours tell nothing

  int category(const ShapesOptions& options) const {
    const int texture = options.textures > 1 ? static_cast<int>(shape.texture) : 0;
    return (static_cast<int>(shape.form) * options.colours + colour) * options.textures + texture;
  }
};

/// One of `count`; where there is only one, no random number is spent.
int draw_index(int count, Philox& random) {
  return count > 1 ? static_cast<int>(random.below(static_cast<std::uint32_t>(count))) : 0;
}

/// That of a class; with one texture it is plain, in rich pictures any.
Texture draw_texture(const ShapesOptions& options, Philox& random) {
  return static_cast<Texture>(draw_index(options.rich && options.textures == 1 ? kTextures : options.textures, random));
}

/// How far an object is turned.
float draw_angle(const ShapesOptions& options, Form form, Philox& random) {
  if (options.rich) return random.uniform(-kPi, kPi);
  return form == Form::circle ? 0 : random.uniform(-kMaxTilt, kMaxTilt);
}

/// `count` objects of min_size to max_size pixels, without colours; fewer where they find no room.
std::vector<Placed> place_objects(const ShapesOptions& options, int count, float min_size, float max_size,
                                  Philox& random) {
  constexpr int kAttempts = 60;
  const float side = static_cast<float>(options.size);
  std::vector<Placed> placed;
  for (int attempt = 0; attempt < kAttempts * count && static_cast<int>(placed.size()) < count; ++attempt) {
    const Form form = static_cast<Form>(random.below(static_cast<std::uint32_t>(options.forms)));
    const int colour = draw_index(options.colours, random);
    const Texture texture = draw_texture(options, random);
    const float angle = draw_angle(options, form, random);
    const float narrow = options.rich ? random.uniform(kNarrowest, 1) : 1;
    const float size = random.uniform(min_size, max_size), u = random.uniform(), v = random.uniform();
    const Box unit = unit_box(form, angle, narrow);
    const float scale = size / std::max(unit.x2 - unit.x1, unit.y2 - unit.y1);
    const float width = (unit.x2 - unit.x1) * scale, height = (unit.y2 - unit.y1) * scale;
    const float x1 = u * (side - width), y1 = v * (side - height);
    const Box box{x1, y1, std::min(x1 + width, side), std::min(y1 + height, side)};
    const bool free = std::none_of(placed.begin(), placed.end(),
                                   [&](const Placed& other) { return box_iou(box, other.box) > kMaxIou; });
    if (!free) continue;
    placed.push_back(
        {{form, angle, x1 - unit.x1 * scale, y1 - unit.y1 * scale, scale, {}, texture, narrow}, box, colour});
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
    placed = place_objects(options, count, min_size, max_size + share * (min_size - max_size), random);
  }
  for (Placed& object : placed) {
    object.shape.colour =
        options.colours > 1 ? draw_named_colour(object.colour, random) : draw_colour(background, random);
  }
  return placed;
}

/// Whether a distractor of this form may hide a part of an object.
bool in_front(const ShapesOptions& options, Form form) { return options.rich && form == Form::line; }

struct Distractor {
  PlaneShape shape;
  std::optional<Tear> tear;  // of a part of an object
};

/// A cross, line or ring, or a torn part of an object, if it can be away from the objects; it may reach out of the
/// picture.
Distractor draw_distractor(const ShapesOptions& options, const Background& background,
                           const std::vector<Placed>& objects, Philox& random) {
  constexpr int kAttempts = 6;
  const float side = static_cast<float>(options.size);
  const bool part = options.parts > 0 && random.uniform() < options.parts;
  PlaneShape shape{};
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    const Form form = part ? static_cast<Form>(random.below(static_cast<std::uint32_t>(options.forms)))
                           : static_cast<Form>(static_cast<std::uint32_t>(Form::cross) + random.below(3));
    const float angle = part ? random.uniform(-kMaxTilt, kMaxTilt) : random.uniform(0, kPi);
    const float x = random.uniform(0, side), y = random.uniform(0, side);
    const float radius = 0.5f * side * random.uniform(options.min_object_size, options.max_object_size);
    shape = {form, angle, x, y, radius, {}};
    const Box box{x - radius, y - radius, x + radius, y + radius};
    const bool free = std::none_of(objects.begin(), objects.end(),
                                   [&](const Placed& object) { return box_intersection(box, object.box) > 0; });
    if (free || in_front(options, form)) break;
  }
  if (part) shape.texture = draw_texture(options, random);
  shape.colour = part && options.colours > 1 ? draw_named_colour(draw_index(options.colours, random), random)
                                             : draw_colour(background, random);
  if (!part) return {shape, {}};
  return {shape, Tear{random.uniform(0, 2 * kPi), random.uniform(-0.1f, 0.2f)}};
}

/// Blends the shape, or what the tear leaves of it, into the picture by the share of each pixel that it covers (4 x 4
/// points per pixel). With less contrast its colour is nearer to that of the ground, the picture without shapes.
void paint(const PlaneShape& shape, const std::optional<Tear>& tear, float contrast, int size,
           const std::vector<float>& ground, std::vector<float>& rgb) {
  constexpr int kPoints = 4;
  constexpr float kDarkness = 0.65f;  // of a texture's dark places
  const float reach = outer_radius(shape.form) * shape.scale;
  const float beyond = (reach + 1) * (reach + 1);  // no pixel whose middle is farther away is touched
  const Frame frame(shape);
  const auto pixel = [&](float v) { return std::clamp(static_cast<int>(std::floor(v)), 0, size - 1); };
  for (int y = pixel(shape.y - reach); y <= pixel(shape.y + reach); ++y) {
    for (int x = pixel(shape.x - reach); x <= pixel(shape.x + reach); ++x) {
      const float dx = static_cast<float>(x) + 0.5f - shape.x, dy = static_cast<float>(y) + 0.5f - shape.y;
      if (dx * dx + dy * dy > beyond) continue;
      int hits = 0, dark = 0;
      for (int i = 0; i < kPoints * kPoints; ++i) {
        const FramePoint point = frame(static_cast<float>(x) + (static_cast<float>(i % kPoints) + 0.5f) / kPoints,
                                       static_cast<float>(y) + (static_cast<float>(i / kPoints) + 0.5f) / kPoints);
        if (!shape.covers(point) || (tear && !tear->leaves(point))) continue;
        ++hits;
        dark += shape.dark(point);
      }
      if (hits == 0) continue;
      const float cover = static_cast<float>(hits) / (kPoints * kPoints);
      const float light = 1 - kDarkness * static_cast<float>(dark) / static_cast<float>(hits);
      const std::size_t at = (static_cast<std::size_t>(y) * size + x) * 3;
      for (int c = 0; c < 3; ++c) {
        const float colour = ground[at + c] + contrast * (light * shape.colour[c] - ground[at + c]);
        rgb[at + c] += cover * (colour - rgb[at + c]);
      }
    }
  }
}

void check_share(float value, const char* what) {
  DIOPTER_CHECK(value >= 0 && value <= 1, "shapes: ", what, " is ", value, ", must be from 0 to 1");
}

void check_number(int value, int most, const char* what) {
  DIOPTER_CHECK(value >= 1 && value <= most, "shapes: number of ", what, " is ", value, ", must be from 1 to ", most);
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
  check_share(o.noise, "noise");
  check_share(o.contrast, "contrast");
  check_share(o.empty, "share of empty pictures");
  check_share(o.parts, "share of parts among distractors");
  check_share(o.missing, "share of missing labels");
  check_number(o.forms, kClassForms, "forms");
  check_number(o.colours, static_cast<int>(kColourNames.size()), "colours");
  check_number(o.textures, kTextures, "textures");
}

std::string picture_name(int number) {
  char name[32];
  std::snprintf(name, sizeof name, "%06d.png", number);
  return name;
}

}  // namespace

std::vector<Category> shapes_categories(const ShapesOptions& options) {
  check(options);
  std::vector<Category> categories;
  for (int form = 0; form < options.forms; ++form) {
    for (int colour = 0; colour < options.colours; ++colour) {
      for (int texture = 0; texture < options.textures; ++texture) {
        std::string name;
        if (options.colours > 1) name += std::string(kColourNames[colour]) + " ";
        if (options.textures > 1) name += std::string(kTextureNames[texture]) + " ";
        categories.push_back({std::ssize(categories) + 1, name + kFormNames[form]});
      }
    }
  }
  return categories;
}

namespace {

template <class Noise>  // float(): standard normal numbers
Image make_image(const ShapesOptions& options, std::uint64_t index, ImageRecord& record, Noise next_normal) {
  check(options);
  Philox random(options.seed, index);
  const Background background(random);
  const std::vector<Placed> objects = draw_objects(options, background, random);
  std::vector<Distractor> distractors(random.below(options.distractors + 1));
  for (Distractor& d : distractors) d = draw_distractor(options, background, objects, random);

  const int size = options.size;
  std::vector<float> ground(static_cast<std::size_t>(size) * size * 3);
  for_each_pixel(size, ground, [&](float* pixel, float u, float v) {
    for (int c = 0; c < 3; ++c) pixel[c] = background.at(u, v, c);
  });
  Philox patterns(options.seed, index | kRich);
  float contrast = options.contrast, noise = options.noise;
  if (options.rich) {
    add_patterns(size, patterns, ground);
    contrast *= patterns.uniform(kFaintest, 1);
    noise *= patterns.uniform();
  }
  std::vector<float> rgb = ground;
  const auto paint_distractors = [&](bool front) {
    for (const auto& [shape, tear] : distractors) {
      if (in_front(options, shape.form) == front) paint(shape, tear, contrast, size, ground, rgb);
    }
  };
  paint_distractors(false);
  for (const Placed& object : objects) paint(object.shape, {}, contrast, size, ground, rgb);
  paint_distractors(true);
  if (options.rich) photograph(size, patterns, rgb);

  Image image{size, size, std::vector<std::uint8_t>(rgb.size())};
  for (std::size_t i = 0; i < rgb.size(); ++i) {
    const float noisy = rgb[i] + (noise > 0 ? noise * next_normal() : 0);
    image.rgb[i] = static_cast<std::uint8_t>(std::clamp(noisy, 0.0f, 1.0f) * 255 + 0.5f);
  }

  record = {
      .id = static_cast<std::int64_t>(index), .file = "", .name = "", .width = size, .height = size, .annotations = {}};
  for (const Placed& object : objects) {
    const double x = object.box.x1, y = object.box.y1;
    const Rect rect{x, y, double{object.box.x2} - x, double{object.box.y2} - y};
    const auto id = static_cast<std::int64_t>(record.annotations.size() + 1);
    record.annotations.push_back(
        {.id = id, .category = object.category(options), .rect = rect, .area = rect.w * rect.h});
  }
  return image;
}

}  // namespace

Image make_shapes_image(const ShapesOptions& options, std::uint64_t index, ImageRecord& record) {
  return make_image(options, index, record,
                    [random = Philox(options.seed, index | kNoise)]() mutable { return random.normal(); });
}

Image make_shapes_image_quickly(const ShapesOptions& options, std::uint64_t index, ImageRecord& record) {
  return make_image(options, index, record,
                    [random = QuickNormals(options.seed, index | kNoise)]() mutable { return random.next(); });
}

void leave_out_labels(const ShapesOptions& options, std::uint64_t index, ImageRecord& record) {
  Philox random(options.seed, index | kMissing);
  std::erase_if(record.annotations, [&](const Annotation&) { return random.uniform() < options.missing; });
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
    if (i < train) leave_out_labels(options, index, record);
    record.id = i + 1;
    record.name = picture_name(i + 1);
    record.file = images / record.name;
    write_image(record.file, image);
    if (progress) {
      const std::lock_guard lock(mutex);
      progress(++done, total);
    }
  });

  Dataset sets[2] = {{shapes_categories(options), {}, {}}, {shapes_categories(options), {}, {}}};
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
