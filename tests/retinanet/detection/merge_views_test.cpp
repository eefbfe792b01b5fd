// Objects that seams cut are found once, neighbours stay two, and the rule is that of a search through all pairs.
#include "retinanet/detection/merge_views.h"

#include <algorithm>
#include <array>
#include <tuple>

#include "kernels/base/philox.h"
#include "tests/support/catch.h"

using namespace diopter;

namespace {

const TileRule kRule{.size = 100, .overlap = 0.2};

struct Object {
  Box box;
  int label;
  float score;
};

/// What a detector that sees perfectly finds in each view: the visible part of each object.
std::vector<ViewDetections> seen(const std::vector<Object>& objects, int width, int height,
                                 const TileRule& rule = kRule) {
  std::vector<ViewDetections> views;
  for (const Window& w : views_of(rule, width, height)) {
    ViewDetections& view = views.emplace_back();
    view.window = w;
    for (const Object& o : objects) {
      const auto clamp = [](float v, int low, int length) {
        return std::clamp(v, static_cast<float>(low), static_cast<float>(low + length));
      };
      const Box part{clamp(o.box.x1, w.x, w.width), clamp(o.box.y1, w.y, w.height), clamp(o.box.x2, w.x, w.width),
                     clamp(o.box.y2, w.y, w.height)};
      const float cut = (part.x2 - part.x1) * (part.y2 - part.y1);
      if (cut > 0)
        view.boxes.push_back(
            {part, o.label, o.score * (0.5f + 0.5f * cut / ((o.box.x2 - o.box.x1) * (o.box.y2 - o.box.y1)))});
    }
    std::stable_sort(view.boxes.begin(), view.boxes.end(),
                     [](const DetectedBox& a, const DetectedBox& b) { return a.score > b.score; });
  }
  return views;
}

void require_boxes(const std::vector<DetectedBox>& found, const std::vector<Object>& expected) {
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CHECK(found[i].box.x1 == expected[i].box.x1);
    CHECK(found[i].box.y1 == expected[i].box.y1);
    CHECK(found[i].box.x2 == expected[i].box.x2);
    CHECK(found[i].box.y2 == expected[i].box.y2);
    CHECK(found[i].label == expected[i].label);
  }
}

std::vector<DetectedBox> merged(const std::vector<Object>& objects, int width, int height) {
  return merge_views(seen(objects, width, height), 0.5f, true);
}

// The rule once more, straight from its words: masks of pixels, sets and passes until nothing changes.

struct Listed {
  DetectedBox d;
  std::size_t view;
  bool cut;
};

bool pixel_in(const Box& b, int x, int y) {
  return static_cast<float>(x) >= b.x1 && static_cast<float>(x + 1) <= b.x2 && static_cast<float>(y) >= b.y1 &&
         static_cast<float>(y + 1) <= b.y2;
}

bool same_by_pixels(const Listed& a, const Listed& b, const std::vector<ViewDetections>& views, int width, int height) {
  int of_a = 0, of_b = 0, both = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const auto inside = [&](const Window& w) {
        return x >= w.x && x < w.x + w.width && y >= w.y && y < w.y + w.height;
      };
      if (!inside(views[a.view].window) || !inside(views[b.view].window)) continue;
      const bool in_a = pixel_in(a.d.box, x, y), in_b = pixel_in(b.d.box, x, y);
      of_a += in_a;
      of_b += in_b;
      both += in_a && in_b;
    }
  }
  if (both == 0) return false;
  return a.cut || b.cut ? 2 * both > std::min(of_a, of_b) : 2 * both > of_a + of_b - both;
}

std::vector<DetectedBox> merged_by_search(const std::vector<ViewDetections>& views, int width, int height,
                                          bool class_aware) {
  std::vector<Listed> all;
  for (std::size_t v = 0; v < views.size(); ++v) {
    const Window& w = views[v].window;
    const float x = 0.01f * static_cast<float>(w.width), y = 0.01f * static_cast<float>(w.height);
    for (const DetectedBox& d : views[v].boxes) {
      const bool left = w.x > 0 && d.box.x1 < static_cast<float>(w.x) + x;
      const bool right = w.x + w.width < width && d.box.x2 > static_cast<float>(w.x + w.width) - x;
      const bool top = w.y > 0 && d.box.y1 < static_cast<float>(w.y) + y;
      const bool bottom = w.y + w.height < height && d.box.y2 > static_cast<float>(w.y + w.height) - y;
      all.push_back({d, v, left || right || top || bottom});
    }
  }
  const auto same = [&](const Listed& a, const Listed& b) {
    return a.view != b.view && (!class_aware || a.d.label == b.d.label) && same_by_pixels(a, b, views, width, height);
  };
  std::vector<Listed> uncut, cut, kept;
  for (const Listed& l : all) (l.cut ? cut : uncut).push_back(l);
  const auto by_score = [](const Listed& a, const Listed& b) { return a.d.score > b.d.score; };
  std::sort(uncut.begin(), uncut.end(), by_score);
  for (const Listed& l : uncut) {
    if (std::none_of(kept.begin(), kept.end(), [&](const Listed& k) { return same(k, l); })) kept.push_back(l);
  }
  std::vector<Listed> parts;
  for (const Listed& l : cut) {
    if (std::none_of(kept.begin(), kept.end(), [&](const Listed& k) { return same(k, l); })) parts.push_back(l);
  }
  std::vector<std::size_t> group(parts.size());
  for (std::size_t i = 0; i < group.size(); ++i) group[i] = i;
  for (bool changed = true; changed;) {
    changed = false;
    for (std::size_t i = 0; i < parts.size(); ++i) {
      for (std::size_t j = 0; j < parts.size(); ++j) {
        if (group[j] > group[i] && same(parts[i], parts[j])) {
          group[j] = group[i];
          changed = true;
        }
      }
    }
  }
  std::vector<DetectedBox> result;
  for (const Listed& k : kept) result.push_back(k.d);
  for (std::size_t g = 0; g < parts.size(); ++g) {
    DetectedBox object{{1e9f, 1e9f, -1e9f, -1e9f}, 0, -1};
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (group[i] != g) continue;
      const DetectedBox& d = parts[i].d;
      object.box = {std::min(object.box.x1, d.box.x1), std::min(object.box.y1, d.box.y1),
                    std::max(object.box.x2, d.box.x2), std::max(object.box.y2, d.box.y2)};
      if (d.score > object.score) {
        object.score = d.score;
        object.label = d.label;
      }
    }
    if (object.score >= 0) result.push_back(object);
  }
  std::sort(result.begin(), result.end(), [](const DetectedBox& a, const DetectedBox& b) { return a.score > b.score; });
  return result;
}

}  // namespace

TEST_CASE("an object across a seam is found once, whether a tile has all of it or none has") {
  // Tiles of a picture of 180 x 100 begin at x = 0 and 80: they overlap from 80 to 100.
  for (const Box box : {Box{70, 10, 95, 40}, Box{85, 10, 98, 40}, Box{82, 10, 130, 40}, Box{75, 10, 105, 40},
                        Box{20, 20, 170, 60}, Box{0, 0, 180, 100}}) {
    INFO(box.x1 << " " << box.x2);
    const std::vector<Object> objects{{box, 1, 0.9f}};
    require_boxes(merged(objects, 180, 100), objects);
  }
}

TEST_CASE("an object across a corner of four tiles is found once") {
  for (const Box box : {Box{70, 70, 110, 110}, Box{85, 85, 95, 95}, Box{60, 88, 120, 96}, Box{20, 20, 160, 150}}) {
    INFO(box.x1 << " " << box.y1);
    const std::vector<Object> objects{{box, 0, 0.9f}};
    REQUIRE(seen(objects, 180, 180).size() == 4);
    require_boxes(merged(objects, 180, 180), objects);
  }
}

TEST_CASE("an object along many tiles is found once") {
  const std::vector<Object> objects{{{10, 40, 490, 60}, 0, 0.9f}};
  require_boxes(merged(objects, 500, 100), objects);
}

TEST_CASE("two neighbours of one class at a seam stay two, as do a part and its whole of two classes") {
  // By descending score.
  require_boxes(merged({{{60, 10, 90, 40}, 1, 0.9f}, {{90, 10, 120, 40}, 1, 0.8f}}, 180, 100),
                {{{60, 10, 90, 40}, 1, 0}, {{90, 10, 120, 40}, 1, 0}});
  require_boxes(merged({{{84, 10, 99, 25}, 1, 0.9f}, {{84, 26, 99, 41}, 1, 0.8f}}, 180, 100),
                {{{84, 10, 99, 25}, 1, 0}, {{84, 26, 99, 41}, 1, 0}});
  require_boxes(merged({{{70, 10, 110, 40}, 1, 0.9f}, {{70, 42, 110, 72}, 1, 0.8f}}, 180, 100),
                {{{70, 10, 110, 40}, 1, 0}, {{70, 42, 110, 72}, 1, 0}});
  const std::vector<Object> classes{{{82, 10, 99, 40}, 1, 0.9f}, {{82, 10, 99, 40}, 2, 0.8f}};
  require_boxes(merged(classes, 180, 100), classes);
  const DetectedBox one{{82, 10, 99, 40}, 1, 0.9f}, other{{82, 10, 99, 40}, 2, 0.8f};
  const std::vector<ViewDetections> views{{{0, 0, 100, 100}, {one}}, {{80, 0, 100, 100}, {other}}};
  CHECK(merge_views(views, 0.5f, true).size() == 2);
  CHECK(merge_views(views, 0.5f, false).size() == 1);
}

TEST_CASE("a whole view and its tiles find an object once") {
  TileRule rule = kRule;
  rule.whole = true;
  const std::vector<Object> objects{{{20, 20, 170, 60}, 1, 0.9f}, {{85, 70, 95, 90}, 1, 0.8f}};
  require_boxes(merge_views(seen(objects, 180, 100, rule), 0.5f, true), objects);
}

TEST_CASE("one view stays as it is") {
  const std::vector<DetectedBox> boxes{{{1, 1, 5, 5}, 0, 0.5f}, {{1, 1, 5, 5}, 0, 0.4f}};
  CHECK(merge_views({{{0, 0, 50, 50}, boxes}}, 0.5f, true).size() == 2);
  CHECK(merge_views({}, 0.5f, true).empty());
}

TEST_CASE("merging is what a search through all pairs and pixels gives") {
  std::size_t most = 0, merges = 0;
  for (int round = 0; round < 60; ++round) {
    Philox random(11, static_cast<std::uint64_t>(round));
    constexpr int kSceneWidth = 70, kSceneHeight = 50;
    std::vector<ViewDetections> views;
    float score = 1;
    std::size_t boxes = 0;
    for (const Window& w : views_of({.size = 30, .overlap = 0.3, .whole = round % 3 == 0}, kSceneWidth, kSceneHeight)) {
      ViewDetections view{w, {}};
      for (int i = 0; i < 6; ++i) {
        const auto coordinate = [&](int begin, int length) {
          const auto one =
              static_cast<float>(begin + static_cast<int>(random.below(static_cast<std::uint32_t>(length + 1))));
          return one;
        };
        Box box{coordinate(w.x, w.width), coordinate(w.y, w.height), coordinate(w.x, w.width),
                coordinate(w.y, w.height)};
        if (box.x1 > box.x2) std::swap(box.x1, box.x2);
        if (box.y1 > box.y2) std::swap(box.y1, box.y2);
        if (box.x1 == box.x2 || box.y1 == box.y2) continue;
        view.boxes.push_back({box, static_cast<int>(random.below(2)), 0});
      }
      views.push_back(view);
      boxes += view.boxes.size();
    }
    std::vector<DetectedBox*> all;  // scores in random order, no two of them equal
    for (ViewDetections& view : views) {
      for (DetectedBox& d : view.boxes) all.push_back(&d);
    }
    for (std::size_t i = all.size(); i > 1; --i)
      std::swap(all[i - 1], all[random.below(static_cast<std::uint32_t>(i))]);
    for (DetectedBox* d : all) d->score = score *= 0.99f;
    const bool class_aware = round % 2 == 0;
    const std::vector<DetectedBox> found = merge_views(views, 0.5f, class_aware);
    const std::vector<DetectedBox> expected = merged_by_search(views, kSceneWidth, kSceneHeight, class_aware);
    const auto as_tuple = [](const DetectedBox& d) {
      return std::tuple(d.score, d.box.x1, d.box.y1, d.box.x2, d.box.y2, d.label);
    };
    REQUIRE(found.size() == expected.size());
    for (std::size_t i = 0; i < found.size(); ++i) REQUIRE((as_tuple(found[i]) == as_tuple(expected[i])));
    most = std::max(most, boxes);
    merges += boxes - found.size();
  }
  CHECK(most > 30);
  CHECK(merges > 150);
}
