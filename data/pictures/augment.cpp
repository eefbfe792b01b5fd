#include "data/pictures/augment.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <utility>

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
  bool flip = false;
  float brightness = 1, contrast = 1, saturation = 1, hue = 0;
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

void scale_targets(std::vector<TargetBox>& targets, float sx, float sy) {
  for (TargetBox& t : targets) t.box = {t.box.x1 * sx, t.box.y1 * sy, t.box.x2 * sx, t.box.y2 * sy};
}

float grey(const float* rgb) { return 0.299f * rgb[0] + 0.587f * rgb[1] + 0.114f * rgb[2]; }

/// RGB from 0 to 255, in place: brightness, contrast about the mean grey, saturation, rotation of the hue.
void photometric(std::vector<float>& rgb, const Plan& plan) {
  const auto clamp = [](float v) { return std::clamp(v, 0.0f, 255.0f); };
  if (plan.brightness != 1) {
    for (float& v : rgb) v = clamp(v * plan.brightness);
  }
  if (plan.contrast != 1) {
    double sum = 0;
    for (std::size_t i = 0; i < rgb.size(); i += 3) sum += double{grey(&rgb[i])};
    const float mean = static_cast<float>(sum / (static_cast<double>(rgb.size()) / 3));
    for (float& v : rgb) v = clamp(mean + (v - mean) * plan.contrast);
  }
  if (plan.saturation != 1) {
    for (std::size_t i = 0; i < rgb.size(); i += 3) {
      const float g = grey(&rgb[i]);
      for (std::size_t c = i; c < i + 3; ++c) rgb[c] = clamp(g + (rgb[c] - g) * plan.saturation);
    }
  }
  if (plan.hue != 0) {
    // Rodrigues' rotation about the grey axis (1, 1, 1) / sqrt(3): a circulant matrix.
    const float angle = plan.hue * 6.2831853f;
    const float third = (1 - std::cos(angle)) / 3, sine = std::sin(angle) / std::sqrt(3.0f);
    const float same = std::cos(angle) + third, next = third - sine, previous = third + sine;
    for (std::size_t i = 0; i < rgb.size(); i += 3) {
      const float r = rgb[i], g = rgb[i + 1], b = rgb[i + 2];
      rgb[i] = clamp(same * r + next * g + previous * b);
      rgb[i + 1] = clamp(previous * r + same * g + next * b);
      rgb[i + 2] = clamp(next * r + previous * g + same * b);
    }
  }
}

/// Calls visit(source pixel, index of the pixel in the result) for the window's pixels, mirrored when `flip`.
template <class Visit>
void for_each_pixel(const Image& image, const Window& window, bool flip, Visit visit) {
  std::size_t out = 0;
  for (int y = 0; y < window.height; ++y) {
    const std::uint8_t* row = image.pixel(window.x, window.y + y);
    for (int x = 0; x < window.width; ++x, ++out) visit(row + 3 * (flip ? window.width - 1 - x : x), out);
  }
}

/// Crop, flip, photometric changes and normalisation: the float picture before resizing.
std::vector<float> network_pixels(const Image& image, const Plan& plan, const Normalisation& norm) {
  std::vector<float> pixels(static_cast<std::size_t>(plan.crop.width) * plan.crop.height * 3);
  const bool as_it_is = plan.brightness == 1 && plan.contrast == 1 && plan.saturation == 1 && plan.hue == 0;
  if (as_it_is) {  // then 256 values per channel are all there is
    std::array<std::array<float, 256>, 3> table;
    for (int c = 0; c < 3; ++c) {
      for (int v = 0; v < 256; ++v) table[c][v] = norm(static_cast<float>(v), c);
    }
    for_each_pixel(image, plan.crop, plan.flip, [&](const std::uint8_t* rgb, std::size_t i) {
      for (int c = 0; c < 3; ++c) pixels[3 * i + c] = table[c][rgb[norm.bgr ? 2 - c : c]];
    });
    return pixels;
  }
  for_each_pixel(image, plan.crop, plan.flip, [&](const std::uint8_t* rgb, std::size_t i) {
    for (int c = 0; c < 3; ++c) pixels[3 * i + c] = static_cast<float>(rgb[c]);
  });
  photometric(pixels, plan);
  for (std::size_t i = 0; i < pixels.size(); i += 3) {
    if (norm.bgr) std::swap(pixels[i], pixels[i + 2]);
    for (int c = 0; c < 3; ++c) pixels[i + c] = norm(pixels[i + c], c);
  }
  return pixels;
}

/// The window's part of a float picture that is `width` wide.
std::vector<float> crop_pixels(const std::vector<float>& pixels, int width, const Window& window) {
  std::vector<float> part(static_cast<std::size_t>(window.width) * window.height * 3);
  for (int y = 0; y < window.height; ++y) {
    const float* row = &pixels[(static_cast<std::size_t>(window.y + y) * width + window.x) * 3];
    std::copy_n(row, static_cast<std::size_t>(window.width) * 3, &part[static_cast<std::size_t>(y) * window.width * 3]);
  }
  return part;
}

/// The plan's part of the picture for a device that makes width x height of it. After Pillow's filter it has that size.
Image picture_for_device(const Image& image, const Plan& plan, ResizeRule::Filter filter, int width, int height,
                         bool bgr) {
  const bool resizes = width != plan.crop.width || height != plan.crop.height;
  if (filter == ResizeRule::Filter::pillow && resizes) {
    return cut(resample(cut(image, plan.crop), width, height), {0, 0, width, height}, plan.flip, bgr);
  }
  return cut(image, plan.crop, plan.flip, bgr);
}

/// The plan's part of the picture at width x height, normalised: before or after resizing, by the filter.
std::vector<float> resized_pixels(const Image& image, const Plan& plan, ResizeRule::Filter filter, int width,
                                  int height, const Normalisation& norm) {
  switch (filter) {
    case ResizeRule::Filter::bilinear: {
      const std::vector<float> pixels = network_pixels(image, plan, norm);
      std::vector<float> resized(static_cast<std::size_t>(width) * height * 3);
      resize_bilinear(pixels.data(), plan.crop.width, plan.crop.height, resized.data(), width, height);
      return resized;
    }
    case ResizeRule::Filter::pillow: {
      Plan of_resized = plan;
      of_resized.crop = {0, 0, width, height};
      return network_pixels(resample(cut(image, plan.crop), width, height), of_resized, norm);
    }
  }
  fail("no such filter");
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
  if (plan.flip) flip_targets(sample.targets, plan.crop.width);

  int room_width, room_height;  // the size without jitter
  resized_size(rule, plan.min_size, plan.crop.width, plan.crop.height, room_width, room_height);
  const auto jittered = [&](int size) { return std::max(1, static_cast<int>(std::floor(size * plan.scale + 0.5))); };
  const int width = jittered(room_width), height = jittered(room_height);
  check_limit(limits::kInputPixels, std::int64_t{width} * height, record.name + ", resized");
  const bool resizes = width != plan.crop.width || height != plan.crop.height;
  if (by == PixelsBy::device) {
    Image picture = picture_for_device(image, plan, rule.filter, width, height, norm.bgr);
    sample.picture = {.offset = 0,
                      .width = picture.width,
                      .height = picture.height,
                      .resized_width = width,
                      .resized_height = height,
                      .x = 0,
                      .y = 0,
                      .seen_width = width,
                      .seen_height = height};
    sample.bytes = std::move(picture.rgb);
  } else {
    sample.pixels =
        resizes ? resized_pixels(image, plan, rule.filter, width, height, norm) : network_pixels(image, plan, norm);
  }
  if (resizes) {
    scale_targets(sample.targets, static_cast<float>(width) / static_cast<float>(plan.crop.width),
                  static_cast<float>(height) / static_cast<float>(plan.crop.height));
  }

  Window view{0, 0, std::min(width, room_width), std::min(height, room_height)};
  if (view.width < width || view.height < height) {
    view.x = static_cast<int>(plan.shift_x * static_cast<float>(width - view.width + 1));
    view.y = static_cast<int>(plan.shift_y * static_cast<float>(height - view.height + 1));
    if (by == PixelsBy::device) {
      sample.picture.x = view.x;
      sample.picture.y = view.y;
      sample.picture.seen_width = view.width;
      sample.picture.seen_height = view.height;
    } else {
      sample.pixels = crop_pixels(sample.pixels, width, view);
    }
    crop_targets(sample.targets, view);
  }
  sample.width = view.width;
  sample.height = view.height;
  for (TargetBox& t : sample.targets) t.box = clip(t.box, view.width, view.height);
  std::erase_if(sample.targets, [](const TargetBox& t) { return t.box.x2 - t.box.x1 < 1 || t.box.y2 - t.box.y1 < 1; });
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

Image cut(const Image& image, const Window& window, bool flip, bool bgr) {
  Image part;
  part.width = window.width;
  part.height = window.height;
  part.rgb.resize(static_cast<std::size_t>(window.width) * window.height * 3);
  for_each_pixel(image, window, flip, [&](const std::uint8_t* rgb, std::size_t i) {
    for (int c = 0; c < 3; ++c) part.rgb[3 * i + c] = rgb[bgr ? 2 - c : c];
  });
  return part;
}

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

bool is_photometric(const AugmentOptions& options) {
  return options.brightness != 0 || options.contrast != 0 || options.saturation != 0 || options.hue != 0;
}

Sample augment(const Image& image, const ImageRecord& record, const ResizeRule& rule, const AugmentOptions& options,
               const Normalisation& norm, Philox& random, PixelsBy by) {
  DIOPTER_CHECK(by == PixelsBy::host || !is_photometric(options), "a device cannot change brightness or colours");
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
  plan.brightness = random.uniform(1 - options.brightness, 1 + options.brightness);
  plan.contrast = random.uniform(1 - options.contrast, 1 + options.contrast);
  plan.saturation = random.uniform(1 - options.saturation, 1 + options.saturation);
  plan.hue = random.uniform(-options.hue, options.hue);
  plan.scale = static_cast<double>(random.uniform(options.scale_min, options.scale_max));
  plan.shift_x = random.uniform();
  plan.shift_y = random.uniform();
  return make_sample(image, record, resize, norm, plan, by);
}

}  // namespace diopter
