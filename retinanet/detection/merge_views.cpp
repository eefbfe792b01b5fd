#include "retinanet/detection/merge_views.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <numeric>

#include "kernels/detection/box.h"

namespace diopter {

namespace {

/// A detection, and what is known of its view.
struct Seen {
  DetectedBox found;
  std::size_t view;
  Box window;
  bool cut;
};

Box as_box(const Window& w) {
  return {static_cast<float>(w.x), static_cast<float>(w.y), static_cast<float>(w.x + w.width),
          static_cast<float>(w.y + w.height)};
}

Box intersection(const Box& a, const Box& b) {
  return {std::max(a.x1, b.x1), std::max(a.y1, b.y1), std::min(a.x2, b.x2), std::min(a.y2, b.y2)};
}

Box hull(const Box& a, const Box& b) {
  return {std::min(a.x1, b.x1), std::min(a.y1, b.y1), std::max(a.x2, b.x2), std::max(a.y2, b.y2)};
}

/// 0 for boxes that are empty or turned inside out.
float area_of(const Box& b) { return std::max(0.0f, b.x2 - b.x1) * std::max(0.0f, b.y2 - b.y1); }

/// Whether a border of the window inside the picture cuts the box.
bool is_cut(const Box& box, const Box& window, const Box& picture) {
  const float x = kCutMargin * (window.x2 - window.x1), y = kCutMargin * (window.y2 - window.y1);
  return (window.x1 > picture.x1 && box.x1 < window.x1 + x) || (window.x2 < picture.x2 && box.x2 > window.x2 - x) ||
         (window.y1 > picture.y1 && box.y1 < window.y1 + y) || (window.y2 < picture.y2 && box.y2 > window.y2 - y);
}

/// Whether detections of two views agree where the views overlap.
bool agree(const Seen& a, const Seen& b, float iou) {
  const Box overlap = intersection(a.window, b.window);
  const Box of_a = intersection(a.found.box, overlap), of_b = intersection(b.found.box, overlap);
  const float both = box_intersection(of_a, of_b), area_a = area_of(of_a), area_b = area_of(of_b);
  if (both <= 0) return false;
  return a.cut || b.cut ? both > kSameOfCut * std::min(area_a, area_b) : both > iou * (area_a + area_b - both);
}

/// All detections, uncut before cut ones, each kind by descending score.
std::vector<Seen> in_order(const std::vector<ViewDetections>& views) {
  Box picture = as_box(views[0].window);
  for (const ViewDetections& view : views) picture = hull(picture, as_box(view.window));
  std::vector<Seen> all;
  for (std::size_t v = 0; v < views.size(); ++v) {
    const Box window = as_box(views[v].window);
    for (const DetectedBox& found : views[v].boxes) {
      if (area_of(found.box) > 0) all.push_back({found, v, window, is_cut(found.box, window, picture)});
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const Seen& a, const Seen& b) { return a.cut != b.cut ? b.cut : a.found.score > b.found.score; });
  return all;
}

/// For each detection the others that agree with it. Only those whose columns meet are compared.
std::vector<std::vector<std::size_t>> agreements(const std::vector<Seen>& all, float iou, bool class_aware) {
  std::vector<std::size_t> by_left(all.size());
  std::iota(by_left.begin(), by_left.end(), std::size_t{0});
  std::sort(by_left.begin(), by_left.end(),
            [&](std::size_t a, std::size_t b) { return all[a].found.box.x1 < all[b].found.box.x1; });
  std::vector<std::vector<std::size_t>> result(all.size());
  for (std::size_t i = 0; i < by_left.size(); ++i) {
    const Seen& a = all[by_left[i]];
    for (std::size_t j = i + 1; j < by_left.size(); ++j) {
      const Seen& b = all[by_left[j]];
      if (b.found.box.x1 >= a.found.box.x2) break;
      if (a.view == b.view || (class_aware && a.found.label != b.found.label) || !agree(a, b, iou)) continue;
      result[by_left[i]].push_back(by_left[j]);
      result[by_left[j]].push_back(by_left[i]);
    }
  }
  return result;
}

}  // namespace

std::vector<DetectedBox> merge_views(const std::vector<ViewDetections>& views, float iou, bool class_aware) {
  if (views.empty()) return {};
  if (views.size() == 1) return views[0].boxes;
  const std::vector<Seen> all = in_order(views);
  const std::vector<std::vector<std::size_t>> same = agreements(all, iou, class_aware);
  enum class State { open, kept, gone };
  std::vector<State> state(all.size(), State::open);
  std::vector<DetectedBox> result;
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (state[i] != State::open) continue;
    DetectedBox object = all[i].found;
    const auto is_kept_uncut = [&](std::size_t other) { return !all[other].cut && state[other] == State::kept; };
    if (std::any_of(same[i].begin(), same[i].end(), is_kept_uncut)) {
      state[i] = State::gone;
      continue;
    }
    state[i] = State::kept;
    std::vector<std::size_t> parts{all[i].cut ? same[i] : std::vector<std::size_t>()};
    while (!parts.empty()) {  // those that agree with a kept uncut one are parts of that object
      const std::size_t part = parts.back();
      parts.pop_back();
      const bool of_another = std::any_of(same[part].begin(), same[part].end(), is_kept_uncut);
      if (state[part] != State::open || !all[part].cut || of_another) continue;
      state[part] = State::gone;
      object.box = hull(object.box, all[part].found.box);
      parts.insert(parts.end(), same[part].begin(), same[part].end());
    }
    result.push_back(object);
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const DetectedBox& a, const DetectedBox& b) { return a.score > b.score; });
  return result;
}

}  // namespace diopter
