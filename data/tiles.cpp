#include "data/tiles.h"

#include <algorithm>
#include <cmath>

#include "data/pictures/image.h"
#include "kernels/base/check.h"

namespace diopter {

namespace {

/// Begins of stretches of `length` that cover `size` pixels, each overlapping the one before by `overlap` or more.
std::vector<int> begins(int size, int length, double overlap) {
  if (size <= length) return {0};
  const int step = std::max(1, length - static_cast<int>(std::ceil(overlap * length)));
  const int steps = (size - length + step - 1) / step;
  std::vector<int> result;
  for (std::int64_t i = 0; i <= steps; ++i) result.push_back(static_cast<int>(i * (size - length) / steps));
  return result;
}

Rect clipped(const Rect& rect, const Window& window) {
  const double x1 = std::clamp<double>(rect.x, window.x, window.x + window.width);
  const double y1 = std::clamp<double>(rect.y, window.y, window.y + window.height);
  const double x2 = std::clamp<double>(rect.x + rect.w, window.x, window.x + window.width);
  const double y2 = std::clamp<double>(rect.y + rect.h, window.y, window.y + window.height);
  return {x1, y1, x2 - x1, y2 - y1};
}

bool is_object(const Annotation& a) { return !a.crowd && !a.difficult; }

/// First pixel of a window of `length` among `size` pixels, drawn by u from 0 to 1 from those with all of [low, high),
/// or, where that is longer, with its centre.
int begin_around(double low, double high, int length, int size, float u) {
  if (std::ceil(high) - std::floor(low) > length) {
    low = high = 0.5 * (low + high);
    high += 1;
  }
  const int first = std::clamp(static_cast<int>(std::ceil(high)) - length, 0, size - length);
  const int last = std::clamp(static_cast<int>(std::floor(low)), first, size - length);
  return first + static_cast<int>(u * static_cast<float>(last - first + 1));
}

}  // namespace

std::vector<Window> views_of(const TileRule& rule, int width, int height) {
  const Window whole{0, 0, width, height};
  if (rule.size == 0 || (width <= rule.size && height <= rule.size)) return {whole};
  std::vector<Window> views;
  if (rule.whole) views.push_back(whole);
  for (const int y : begins(height, rule.size, rule.overlap)) {
    for (const int x : begins(width, rule.size, rule.overlap)) {
      views.push_back({x, y, std::min(rule.size, width), std::min(rule.size, height)});
    }
  }
  return views;
}

bool is_tile(const TileRule& rule, const Window& view) { return view.width <= rule.size && view.height <= rule.size; }

ImageRecord record_of_view(const ImageRecord& record, const Window& view, int width, int height) {
  if (view == Window{0, 0, width, height}) return record;
  ImageRecord result{record.id, record.file, record.name, view.width, view.height, {}};
  for (const Annotation& annotation : record.annotations) {
    const Rect in_picture = clipped(annotation.rect, {0, 0, width, height});
    const Rect seen = clipped(in_picture, view);
    if (seen.w <= 0 || seen.h <= 0) continue;
    Annotation& moved = result.annotations.emplace_back(annotation);
    moved.rect = {seen.x - view.x, seen.y - view.y, seen.w, seen.h};
    const double share = seen.w * seen.h / (in_picture.w * in_picture.h);
    moved.area *= share;
    if (is_object(annotation) && share < kKeptShare) moved.crowd = true;
  }
  return result;
}

Window draw_tile(const TileRule& rule, const ImageRecord& record, int width, int height, Philox& random) {
  const float u_kind = random.uniform(), u_object = random.uniform(), u_x = random.uniform(), u_y = random.uniform();
  const int tile_width = std::min(rule.size, width), tile_height = std::min(rule.size, height);
  std::vector<Rect> objects;
  for (const Annotation& a : record.annotations) {
    const Rect seen = clipped(a.rect, {0, 0, width, height});
    if (is_object(a) && seen.w > 0 && seen.h > 0) objects.push_back(seen);
  }
  int x = static_cast<int>(u_x * static_cast<float>(width - tile_width + 1));
  int y = static_cast<int>(u_y * static_cast<float>(height - tile_height + 1));
  if (u_kind < kObjectTiles && !objects.empty()) {
    const Rect& held = objects[static_cast<std::size_t>(u_object * static_cast<float>(objects.size()))];
    x = begin_around(held.x, held.x + held.w, tile_width, width, u_x);
    y = begin_around(held.y, held.y + held.h, tile_height, height, u_y);
  }
  return {x, y, tile_width, tile_height};
}

EpochViews::EpochViews(const Dataset& dataset, const TileRule& rule) : rule_(rule) {
  for (const ImageRecord& record : dataset.images) {
    std::int64_t views = 1, pixels = 0;
    int width = record.width, height = record.height;
    try {
      if (rule.size > 0 && (width <= 0 || height <= 0)) read_image_size(record.file, width, height);
      views = std::ssize(views_of(rule, width, height));
      if (rule.size > 0) pixels = std::int64_t{width} * height;
    } catch (const OutOfResources&) {
      throw;
    } catch (const Error&) {  // told when it is its turn
    }
    ends_.push_back(count() + views);
    pixels_.push_back(pixels);
  }
}

int EpochViews::picture(std::int64_t i) const {
  return static_cast<int>(std::upper_bound(ends_.begin(), ends_.end(), i) - ends_.begin());
}

bool EpochViews::is_whole(std::int64_t i) const {
  const auto end = std::upper_bound(ends_.begin(), ends_.end(), i);
  const std::int64_t first = end == ends_.begin() ? 0 : *(end - 1);
  return rule_.size == 0 || (rule_.whole && i == first && *end - first > 1);
}

Dataset with_tiles_as_pictures(const Dataset& dataset, const TileRule& rule) {
  if (rule.size == 0) return dataset;
  Dataset result = dataset;
  result.images.clear();
  TileRule tiles_alone = rule;
  tiles_alone.whole = false;
  for (const ImageRecord& record : dataset.images) {
    for (const Window& view : views_of(tiles_alone, record.width, record.height)) {
      result.images.push_back(record_of_view(record, view, record.width, record.height));
    }
  }
  return result;
}

}  // namespace diopter
