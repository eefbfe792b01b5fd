// The grid of tiles, what a tile has of a picture's boxes, and the tiles that training draws.
#include "data/tiles.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "data/pictures/window.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;

namespace {

ImageRecord record_with(const std::vector<Rect>& rects) {
  ImageRecord record{7, "", "seven", 0, 0, {}};
  for (const Rect& r : rects) record.annotations.push_back({std::ssize(record.annotations), 2, r, r.w * r.h});
  return record;
}

/// Overlap of neighbours along one axis: begins in ascending order.
void require_overlaps(const std::vector<int>& begins, int length, int size, double overlap) {
  REQUIRE(begins.front() == 0);
  REQUIRE(begins.back() + std::min(length, size) == size);
  for (std::size_t i = 1; i < begins.size(); ++i) {
    REQUIRE(begins[i] > begins[i - 1]);
    REQUIRE(begins[i - 1] + length - begins[i] >= overlap * length);
  }
}

std::vector<int> distinct(std::vector<int> values) {
  std::sort(values.begin(), values.end());
  values.erase(std::unique(values.begin(), values.end()), values.end());
  return values;
}

}  // namespace

TEST_CASE("tiles cover every pixel, neighbours overlap by their share at least, and none is left out") {
  for (const double overlap : {0.0, 0.2, 0.5, 0.9}) {
    for (const int size : {10, 17, 40, 64}) {
      for (const int width : {1, 6, 7, 8, 40, 41, 65, 127, 300}) {
        for (const int height : {5, 64, 101}) {
          INFO(overlap << " " << size << " " << width << "x" << height);
          const std::vector<Window> views = views_of({.size = size, .overlap = overlap}, width, height);
          std::vector<int> xs, ys;
          for (const Window& view : views) {
            REQUIRE(view.width == std::min(size, width));
            REQUIRE(view.height == std::min(size, height));
            xs.push_back(view.x);
            ys.push_back(view.y);
          }
          REQUIRE(std::is_sorted(ys.begin(), ys.end()));
          const std::vector<int> columns = distinct(xs), rows = distinct(ys);
          REQUIRE(views.size() == columns.size() * rows.size());
          require_overlaps(columns, size, width, overlap);
          require_overlaps(rows, size, height, overlap);
          const int step = std::max(1, size - static_cast<int>(std::ceil(overlap * size)));
          REQUIRE((std::ssize(columns) - 2) * step + size < std::max(width, size + 1));  // one column less is too few
        }
      }
    }
  }
}

TEST_CASE("without tiles, and where it is no larger than one, a picture has one view, and the whole one comes first") {
  CHECK(views_of({}, 500, 300) == std::vector<Window>{{0, 0, 500, 300}});
  CHECK(views_of({.size = 500, .overlap = 0.2, .whole = true}, 500, 300) == std::vector<Window>{{0, 0, 500, 300}});
  const std::vector<Window> views = views_of({.size = 300, .overlap = 0.2, .whole = true}, 500, 300);
  CHECK(views == std::vector<Window>{{0, 0, 500, 300}, {0, 0, 300, 300}, {200, 0, 300, 300}});
  CHECK(!is_tile({.size = 300}, views[0]));
  CHECK(is_tile({.size = 300}, views[1]));
}

TEST_CASE("a tile clips boxes, and an object of which it has less than half is neither object nor background") {
  const ImageRecord record = record_with({{10, 10, 20, 20},     // inside
                                          {90, 40, 20, 10},     // half of it inside
                                          {91, 40, 20, 10},     // a little less
                                          {100, 0, 10, 10},     // outside
                                          {-30, 60, 50, 10}});  // of what the picture has all is inside
  const ImageRecord seen = record_of_view(record, {5, 5, 95, 95}, 200, 200);
  CHECK(seen.id == 7);
  CHECK(seen.name == "seven");
  CHECK(seen.width == 95);
  REQUIRE(seen.annotations.size() == 4);
  const auto require_rect = [&](std::size_t i, const Rect& r, bool crowd) {
    const Annotation& a = seen.annotations[i];
    CHECK(a.rect.x == r.x);
    CHECK(a.rect.y == r.y);
    CHECK(a.rect.w == r.w);
    CHECK(a.rect.h == r.h);
    CHECK(a.crowd == crowd);
    CHECK(a.area == Approx(r.w * r.h));
    CHECK(a.category == 2);
  };
  require_rect(0, {5, 5, 20, 20}, false);
  require_rect(1, {85, 35, 10, 10}, false);
  require_rect(2, {86, 35, 9, 10}, true);
  CHECK(seen.annotations[3].rect.w == 15);
  CHECK(!seen.annotations[3].crowd);
}

TEST_CASE("three of four training tiles hold an object, the others lie anywhere") {
  const TileRule rule{.size = 50, .overlap = 0.2};
  // One object in a corner of a large picture: a tile anywhere holds it in one of 2000 cases.
  const ImageRecord record = record_with({{980, 700, 15, 20}});
  int holding = 0;
  double mean_x = 0;
  constexpr int kDraws = 4000;
  std::vector<int> offsets;
  for (int i = 0; i < kDraws; ++i) {
    Philox random(5, static_cast<std::uint64_t>(i));
    const Window tile = draw_tile(rule, record, 1000, 800, random);
    REQUIRE(tile.width == 50);
    REQUIRE(tile.x >= 0);
    REQUIRE(tile.x + 50 <= 1000);
    REQUIRE(tile.y >= 0);
    REQUIRE(tile.y + 50 <= 800);
    const bool holds = tile.x <= 980 && tile.x + 50 >= 995 && tile.y <= 700 && tile.y + 50 >= 720;
    holding += holds;
    if (holds) offsets.push_back(700 - tile.y);
    if (!holds) mean_x += tile.x;
  }
  CHECK(std::fabs(holding / double{kDraws} - kObjectTiles) < 0.03);
  CHECK(std::fabs(mean_x / (kDraws - holding) - 475) < 30);
  CHECK(distinct(offsets).size() == 31);  // from 0 to 30: all places at which the tile holds it

  // An object larger than a tile: its centre.
  const ImageRecord large = record_with({{100, 100, 200, 30}});
  int centred = 0;
  for (int i = 0; i < kDraws; ++i) {
    Philox random(6, static_cast<std::uint64_t>(i));
    const Window tile = draw_tile(rule, large, 1000, 800, random);
    centred += tile.contains(200, 115) && tile.y <= 100 && tile.y + 50 >= 130;
  }
  CHECK(std::fabs(centred / double{kDraws} - kObjectTiles) < 0.03);

  // Crowds and objects outside draw none.
  ImageRecord none = record_with({{10, 10, 5, 5}, {2000, 10, 5, 5}});
  none.annotations[0].crowd = true;
  int near = 0;
  for (int i = 0; i < kDraws; ++i) {
    Philox random(7, static_cast<std::uint64_t>(i));
    near += draw_tile(rule, none, 1000, 800, random).x < 100;
  }
  CHECK(near < kDraws / 5);
}

TEST_CASE("an epoch has as many views of a picture as the grid") {
  Dataset dataset;
  dataset.images = {{1, "", "a", 100, 100, {}}, {2, "", "b", 50, 40, {}}, {3, "/nowhere.png", "c", 0, 0, {}}};
  const EpochViews pictures(dataset, {});
  CHECK(pictures.count() == 3);
  CHECK(pictures.picture(1) == 1);
  CHECK(pictures.is_whole(1));

  const EpochViews views(dataset, {.size = 50, .overlap = 0, .whole = true});
  CHECK(views.count() == 5 + 1 + 1);
  const std::vector<int> expected{0, 0, 0, 0, 0, 1, 2};
  for (int i = 0; i < 7; ++i) {
    CHECK(views.picture(i) == expected[static_cast<std::size_t>(i)]);
    CHECK(views.is_whole(i) == (i == 0));
  }
}

TEST_CASE("the set of tiles has their boxes") {
  Dataset dataset;
  dataset.images = {record_with({{10, 10, 20, 20}, {70, 70, 10, 10}})};
  dataset.images[0].width = dataset.images[0].height = 100;
  const Dataset views = with_tiles_as_pictures(dataset, {.size = 50, .overlap = 0, .whole = true});
  REQUIRE(views.images.size() == 4);
  CHECK(views.images[0].annotations.size() == 1);
  CHECK(views.images[1].annotations.empty());
  CHECK(views.images[3].annotations[0].rect.x == 20);
  CHECK(views.images[3].width == 50);
  CHECK(with_tiles_as_pictures(dataset, {}).images.size() == 1);
}
