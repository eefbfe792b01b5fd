#include "data/pictures/augment.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

#include "data/pictures/orientation.h"
#include "data/pictures/resample.h"
#include "data/pictures/window.h"
#include "kernels/base/check.h"
#include "kernels/base/limits.h"

namespace diopter {

namespace {

/// Everything that chance decides about a training picture; as it stands, what evaluation does.
struct Plan {
  int min_size;
  Window crop;
  int quarters = 0;  // turns by 90 degrees clockwise, after the crop
  bool flip = false;
  ColourChange colours = {};
  double scale = 1;                // jitter
  float shift_x = 0, shift_y = 0;  // where the crop after an enlarging jitter lies, from 0 to 1
};

Box clip(const Box& b, int width, int height) {
  const float w = static_cast<float>(width), h = static_cast<float>(height);
  return {std::clamp(b.x1, 0.0f, w), std::clamp(b.y1, 0.0f, h), std::clamp(b.x2, 0.0f, w), std::clamp(b.y2, 0.0f, h)};
}

bool centre_inside(const Box& b, const Window& window) {
  return window.contains(0.5f * (b.x1 + b.x2), 0.5f * (b.y1 + b.y2));
}

/// Annotations as targets in pixels of the decoded picture.
std::vector<TargetBox> targets_of(const ImageRecord& record, const Image& image) {
  std::vector<TargetBox> targets;
  targets.reserve(record.annotations.size());
  for (const Annotation& a : record.annotations) {
    targets.push_back({clip(a.rect.box(), image.width, image.height),
                       a.crowd || a.difficult ? kIgnore : static_cast<std::int32_t>(a.category)});
  }
  return targets;
}

/// Moves targets into the window. Objects whose centre lies outside are dropped; ignored regions are kept as far as
/// they reach into it, because what is visible of a crowd must not become background.
void crop_targets(std::vector<TargetBox>& targets, const Window& window) {
  std::erase_if(targets, [&](const TargetBox& t) { return t.label != kIgnore && !centre_inside(t.box, window); });
  const float x = static_cast<float>(window.x), y = static_cast<float>(window.y);
  for (TargetBox& t : targets) {
    t.box = clip({t.box.x1 - x, t.box.y1 - y, t.box.x2 - x, t.box.y2 - y}, window.width, window.height);
  }
}

void flip_targets(std::vector<TargetBox>& targets, int width) {
  const float w = static_cast<float>(width);
  for (TargetBox& t : targets) t.box = {w - t.box.x2, t.box.y1, w - t.box.x1, t.box.y2};
}

/// By 90 degrees clockwise, of a picture of `height`: (x, y) comes to (height - y, x).
void turn_targets(std::vector<TargetBox>& targets, int height) {
  const float h = static_cast<float>(height);
  for (TargetBox& t : targets) t.box = {h - t.box.y2, t.box.x1, h - t.box.y1, t.box.x2};
}

void scale_targets(std::vector<TargetBox>& targets, float sx, float sy) {
  for (TargetBox& t : targets) t.box = {t.box.x1 * sx, t.box.y1 * sy, t.box.x2 * sx, t.box.y2 * sy};
}

/// Fills in the plan's part of the picture for a device that changes its colours, resizes it and takes the view. After
/// Pillow's filter it has its size.
void add_bytes(Sample& sample, const Image& image, const PixelPlan& plan, bool bgr) {
  if (plan.filter == ResizeFilter::pillow && plan.resizes()) {
    PixelPlan of_resized = plan;
    of_resized.crop = {0, 0, plan.width, plan.height};
    return add_bytes(sample, resample(cut(image, plan.crop), plan.width, plan.height), of_resized, bgr);
  }
  sample.bytes = cut(image, plan.crop, plan.flip, bgr).rgb;
  sample.picture = {.offset = 0,
                    .width = plan.crop.width,
                    .height = plan.crop.height,
                    .resized_width = plan.width,
                    .resized_height = plan.height,
                    .x = plan.view.x,
                    .y = plan.view.y,
                    .seen_width = plan.view.width,
                    .seen_height = plan.view.height,
                    .colours = colour_map(image, plan.crop, plan.colours)};
}

/// The plan's crop turned as it says, as a picture of its own with targets of its own.
Image turned_crop(const Image& image, const Plan& plan, std::vector<TargetBox>& targets) {
  constexpr int kExifOrientations[] = {1, 6, 3, 8};
  for (int quarter = 0; quarter < plan.quarters; ++quarter) {
    turn_targets(targets, quarter % 2 == 0 ? plan.crop.height : plan.crop.width);
  }
  return turn_upright(cut(image, plan.crop), kExifOrientations[plan.quarters]);
}

/// The sample of a plan that turns nothing any more; its targets are those of the crop.
void finish_sample(Sample& sample, const Image& image, const ResizeRule& rule, const Normalisation& norm,
                   const Plan& plan, PixelsBy by) {
  if (plan.flip) flip_targets(sample.targets, plan.crop.width);

  int room_width, room_height;  // the size without jitter
  resized_size(rule, plan.min_size, plan.crop.width, plan.crop.height, room_width, room_height);
  const auto jittered = [&](int size) { return std::max(1, static_cast<int>(std::floor(size * plan.scale + 0.5))); };
  const int width = jittered(room_width), height = jittered(room_height);
  check_limit(limits::kInputPixels, std::int64_t{width} * height, sample.name + ", resized");
  PixelPlan pixels{.crop = plan.crop,
                   .flip = plan.flip,
                   .colours = plan.colours,
                   .filter = rule.filter,
                   .width = width,
                   .height = height,
                   .view = {0, 0, std::min(width, room_width), std::min(height, room_height)}};
  if (pixels.resizes()) {
    scale_targets(sample.targets, static_cast<float>(width) / static_cast<float>(plan.crop.width),
                  static_cast<float>(height) / static_cast<float>(plan.crop.height));
  }
  Window& view = pixels.view;
  if (view.width < width || view.height < height) {
    view.x = static_cast<int>(plan.shift_x * static_cast<float>(width - view.width + 1));
    view.y = static_cast<int>(plan.shift_y * static_cast<float>(height - view.height + 1));
    crop_targets(sample.targets, view);
  }
  if (by == PixelsBy::device) {
    add_bytes(sample, image, pixels, norm.bgr);
  } else {
    sample.pixels = input_pixels(image, pixels, norm);
  }
  sample.width = view.width;
  sample.height = view.height;
  for (TargetBox& t : sample.targets) t.box = clip(t.box, view.width, view.height);
  std::erase_if(sample.targets, [](const TargetBox& t) { return t.box.x2 - t.box.x1 < 1 || t.box.y2 - t.box.y1 < 1; });
}

Sample make_sample(const Image& image, const ImageRecord& record, const ResizeRule& rule, const Normalisation& norm,
                   const Plan& plan, PixelsBy by) {
  Sample sample;
  sample.image_id = record.id;
  sample.name = record.name;
  sample.original_width = image.width;
  sample.original_height = image.height;
  sample.targets = targets_of(record, image);
  crop_targets(sample.targets, plan.crop);
  if (plan.quarters == 0) {
    finish_sample(sample, image, rule, norm, plan, by);
  } else {
    const Image turned = turned_crop(image, plan, sample.targets);
    Plan of_turned = plan;
    of_turned.crop = {0, 0, turned.width, turned.height};
    finish_sample(sample, turned, rule, norm, of_turned, by);
  }
  return sample;
}

/// A window of at least `smallest` of the picture's sides that holds the centre of one box (any place without boxes).
/// Draws the same number of numbers whatever the picture.
Window draw_crop(const Image& image, const ImageRecord& record, float smallest, Philox& random) {
  const float u_width = random.uniform(smallest, 1), u_height = random.uniform(smallest, 1);
  const float u_box = random.uniform(), u_x = random.uniform(), u_y = random.uniform();
  const auto side = [](float share, int size) {
    return std::clamp(static_cast<int>(std::lround(share * static_cast<float>(size))), 1, size);
  };
  // First pixel of a window of `length` among `size` pixels that contains pixel `inside`, if not negative.
  const auto begin = [](float u, int length, int size, int inside) {
    const int first = inside < 0 ? 0 : std::max(0, inside - length + 1);
    const int last = inside < 0 ? size - length : std::min(inside, size - length);
    return first + static_cast<int>(u * static_cast<float>(last - first + 1));
  };
  std::vector<TargetBox> objects = targets_of(record, image);
  std::erase_if(objects,
                [](const TargetBox& t) { return t.label == kIgnore || t.box.x2 <= t.box.x1 || t.box.y2 <= t.box.y1; });
  int x = -1, y = -1;
  if (!objects.empty()) {
    const Box& box = objects[static_cast<std::size_t>(u_box * static_cast<float>(objects.size()))].box;
    x = std::min(static_cast<int>(0.5f * (box.x1 + box.x2)), image.width - 1);
    y = std::min(static_cast<int>(0.5f * (box.y1 + box.y2)), image.height - 1);
  }
  const int width = side(u_width, image.width), height = side(u_height, image.height);
  return {begin(u_x, width, image.width, x), begin(u_y, height, image.height, y), width, height};
}

}  // namespace

void resized_size(const ResizeRule& rule, int min_size, int width, int height, int& out_width, int& out_height) {
  DIOPTER_CHECK(width > 0 && height > 0, "cannot resize a picture of ", width, " x ", height, " pixels");
  if (rule.tile > 0) {
    ResizeRule of_tile = rule;
    of_tile.tile = 0;
    int tile_width, tile_height;
    resized_size(of_tile, min_size, rule.tile, rule.tile, tile_width, tile_height);
    out_width = std::max(1, static_cast<int>((2 * std::int64_t{width} * tile_width + rule.tile) / (2 * rule.tile)));
    out_height = std::max(1, static_cast<int>((2 * std::int64_t{height} * tile_height + rule.tile) / (2 * rule.tile)));
    return;
  }
  const int shorter = std::min(width, height), longer = std::max(width, height);
  switch (rule.kind) {
    case ResizeRule::Kind::shorter_side: {
      if (rule.round) {
        // In Detectron2's order of operations, which decides where a size lies half way between two integers.
        const double scale = static_cast<double>(min_size) / shorter;
        double w = width > height ? width * scale : min_size, h = width > height ? min_size : height * scale;
        const double excess = std::max(w, h);
        if (excess > rule.max_size) {
          w *= rule.max_size / excess;
          h *= rule.max_size / excess;
        }
        out_width = static_cast<int>(w + 0.5);
        out_height = static_cast<int>(h + 0.5);
        break;
      }
      // In double and uncorrected, as torchvision does it: where 800 comes out as 799.99... the size is 799. Its
      // versions until 0.13 and its scripted models multiply by a reciprocal in float.
      const auto ratio = [&](int size, int side) {
        return rule.float_scale ? static_cast<double>(1.0f / static_cast<float>(side) * static_cast<float>(size))
                                : static_cast<double>(size) / side;
      };
      const double scale = std::min(ratio(min_size, shorter), ratio(rule.max_size, longer));
      out_width = static_cast<int>(std::floor(width * scale));
      out_height = static_cast<int>(std::floor(height * scale));
      break;
    }
    case ResizeRule::Kind::longer_side: {
      const auto scaled = [&](std::int64_t size) {
        return static_cast<int>((2 * size * rule.max_size + (rule.round ? longer : 0)) / (2 * std::int64_t{longer}));
      };
      out_width = scaled(width);
      out_height = scaled(height);
      break;
    }
    case ResizeRule::Kind::exact: out_width = out_height = rule.max_size; return;
  }
  if (!rule.enlarge && (out_width > width || out_height > height)) {
    out_width = width;
    out_height = height;
  }
  out_width = std::max(1, out_width);
  out_height = std::max(1, out_height);
}

Sample prepare(const Image& image, const ImageRecord& record, const ResizeRule& rule, const Normalisation& norm,
               PixelsBy by) {
  const int min_size = rule.min_sizes.empty() ? rule.max_size : rule.min_sizes.back();
  return make_sample(image, record, rule, norm, {.min_size = min_size, .crop = {0, 0, image.width, image.height}}, by);
}

AugmentOptions in_epoch(const AugmentOptions& options, std::int64_t epoch) {
  if (static_cast<float>(epoch) >= options.ramp_epochs) return options;
  const float share = static_cast<float>(epoch) / options.ramp_epochs;
  AugmentOptions now = options;
  now.scale_min = 1 + share * (options.scale_min - 1);
  now.scale_max = 1 + share * (options.scale_max - 1);
  for (float AugmentOptions::*strength : {&AugmentOptions::crop, &AugmentOptions::brightness, &AugmentOptions::contrast,
                                          &AugmentOptions::saturation, &AugmentOptions::hue}) {
    now.*strength *= share;
  }
  return now;
}

Sample augment(const Image& image, const ImageRecord& record, const ResizeRule& rule, const AugmentOptions& options,
               const Normalisation& norm, Philox& random, PixelsBy by) {
  // Every number is drawn, used or not: switching one change on or off leaves the others as they were.
  Plan plan{.min_size = rule.max_size, .crop = {0, 0, image.width, image.height}};
  const float u_size = random.uniform();
  if (!rule.min_sizes.empty()) {
    plan.min_size = rule.min_sizes[static_cast<std::size_t>(u_size * static_cast<float>(rule.min_sizes.size()))];
  }
  const bool cropped = random.uniform() < options.crop;
  const Window crop = draw_crop(image, record, options.crop_min, random);
  ResizeRule resize = rule;
  if (cropped) {
    plan.crop = crop;
    resize.tile = 0;  // a crop is enlarged
  }
  plan.flip = random.uniform() < options.flip;
  plan.colours.brightness = random.uniform(1 - options.brightness, 1 + options.brightness);
  plan.colours.contrast = random.uniform(1 - options.contrast, 1 + options.contrast);
  plan.colours.saturation = random.uniform(1 - options.saturation, 1 + options.saturation);
  plan.colours.hue = random.uniform(-options.hue, options.hue);
  plan.scale = static_cast<double>(random.uniform(options.scale_min, options.scale_max));
  plan.shift_x = random.uniform();
  plan.shift_y = random.uniform();
  const bool turns = random.uniform() < options.turn;
  const int quarters = 1 + static_cast<int>(random.uniform() * 3);
  if (turns) plan.quarters = quarters;
  if (random.uniform() < options.vertical_flip) {  // half a turn and a mirror
    plan.quarters = (plan.quarters + 2) % 4;
    plan.flip = !plan.flip;
  }
  return make_sample(image, record, resize, norm, plan, by);
}

}  // namespace diopter
