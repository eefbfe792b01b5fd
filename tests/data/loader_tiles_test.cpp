// Tiles in training and evaluation: which are seen, with which pixels and at which scale.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "data/loader.h"
#include "kernels/base/files.h"
#include "tests/data/loader_pictures.h"
#include "tests/support/catch.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("training draws tiles, and batches of them do not depend on threads or where the stream is entered") {
  const Pictures pictures;
  LoaderOptions options = busy_options();
  options.tiles = {.size = 20, .overlap = 0.2, .whole = true};  // 4 tiles and the whole of each picture
  options.workers = 0;
  Loader plain(pictures.dataset, options);
  const std::vector<Batch> expected = take(plain, 14);
  std::map<std::int64_t, int> views, wholes;
  std::set<std::pair<int, int>> places;
  int seen = 0;
  for (const Batch& batch : expected) {
    for (int n = 0; n < batch.images && seen < 11 * 5; ++n, ++seen) {
      const Window& window = batch.views[n].window;
      const bool whole = window == Window{0, 0, 32, 32};
      CHECK((whole || (window.width == 20 && window.height == 20)));
      CHECK(batch.original_sizes[2 * n] == static_cast<float>(window.width));
      CHECK(batch.image_ids[n] == pictures.dataset.images[batch.views[n].picture].id);
      ++views[batch.image_ids[n]];
      places.insert({window.x, window.y});
      wholes[batch.image_ids[n]] += whole;
    }
  }
  CHECK(places.size() > 20);  // of the 44 tiles
  CHECK(views.size() == 11);
  for (const auto& [id, count] : views) {
    CHECK(count == 5);
    CHECK(wholes[id] == 1);
  }
  for (const int workers : {1, 3}) {
    options.workers = workers;
    Loader loader(pictures.dataset, options);
    for (const Batch& batch : expected) require_equal(loader.next(), batch);
    Loader later(pictures.dataset, options, 9);
    for (std::size_t i = 9; i < expected.size(); ++i) require_equal(later.next(), expected[i]);
  }
}

TEST_CASE("evaluation goes through the tiles of each picture, whose pixels are those of the picture") {
  const Pictures pictures;
  LoaderOptions options;
  options.batch_size = 3;
  options.tiles = {.size = 20, .overlap = 0.2};
  options.resize = {.kind = ResizeRule::Kind::longer_side, .max_size = 20};  // tiles are not resized
  std::vector<Batch> expected;
  for (const int workers : {0, 1, 3}) {
    options.workers = workers;
    EvaluationLoader loader(pictures.dataset, options);
    std::size_t views = 0;
    std::vector<Batch> batches;
    for (Batch batch; loader.next(batch);) {
      for (int n = 0; n < batch.images; ++n, ++views) {
        const PictureView& view = batch.views[n];
        REQUIRE(view.picture == views / 4);
        REQUIRE(view.last == (views % 4 == 3));
        REQUIRE((view.window == Window{views % 2 == 1 ? 12 : 0, views % 4 >= 2 ? 12 : 0, 20, 20}));
        const Image image = read_image(pictures.dataset.images[view.picture].file);
        for (int y = 0; y < 20; ++y) {
          for (int x = 0; x < 20; ++x) {
            const float red = options.normalisation(*image.pixel(view.window.x + x, view.window.y + y), 0);
            REQUIRE(batch.pixels[((static_cast<std::size_t>(n) * batch.height + y) * batch.width + x) * 3] == red);
          }
        }
      }
      batches.push_back(std::move(batch));
    }
    CHECK(views == 44);
    if (expected.empty()) expected = batches;
    REQUIRE(batches.size() == expected.size());
    for (std::size_t i = 0; i < batches.size(); ++i) require_equal(batches[i], expected[i]);
  }
}

TEST_CASE("tiles have one scale, however small a picture is, and whole pictures theirs") {
  const Pictures pictures;
  LoaderOptions options;
  options.batch_size = 1;
  options.resize = {.kind = ResizeRule::Kind::longer_side, .max_size = 64};
  const auto sizes = [&](const TileRule& tiles) {
    options.tiles = tiles;
    EvaluationLoader loader(pictures.dataset, options);
    std::vector<float> widths;
    Batch batch;
    for (int i = 0; i < 2 && loader.next(batch); ++i) widths.push_back(batch.sizes[0]);
    return widths;
  };
  CHECK(sizes({.size = 128}) == std::vector<float>{16, 16});
  CHECK(sizes({.size = 16}) == std::vector<float>{64, 64});
  CHECK(sizes({.size = 16, .overlap = 0, .whole = true}) == std::vector<float>{64, 64});
  CHECK(sizes({}) == std::vector<float>{64, 64});
}

TEST_CASE("a picture that cannot be decoded is skipped with all its tiles, and told once") {
  const Pictures pictures;
  pictures.break_picture(2);
  const std::string file = pictures.dataset.images[5].file;  // damaged behind its header
  const std::string bytes = read_file(file);
  std::ofstream(file, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  for (const int workers : {0, 3}) {
    LoaderOptions options;
    options.batch_size = 3;
    options.workers = workers;
    options.tiles = {.size = 20, .overlap = 0.2};
    options.skip_undecodable = true;
    EvaluationLoader loader(pictures.dataset, options);
    std::map<std::size_t, int> views;
    for (Batch batch; loader.next(batch);) {
      for (const PictureView& view : batch.views) ++views[view.picture];
    }
    const std::vector<UnreadablePicture> skipped = loader.take_skipped();
    REQUIRE(skipped.size() == 2);
    CHECK(skipped[0].image == 2);
    CHECK(skipped[1].image == 5);
    CHECK(views[2] == 0);
    CHECK(views[5] < 4);
    CHECK(views[10] == 4);
    options.skip_undecodable = false;
    EvaluationLoader strict(pictures.dataset, options);
    CHECK(test::error_of([&] {
            for (Batch batch; strict.next(batch);) {
            }
          }).find(pictures.dataset.images[2].file) == 0);
  }
}

TEST_CASE("training tiles of large pictures are the same by strips, where a picture is damaged too") {
  Pictures pictures;
  ImageRecord& damaged = pictures.dataset.images[5];
  Image noise{64, 256, {}};  // of more bytes than libpng reads ahead
  for (unsigned i = 0; i < 3 * 64 * 256; ++i) noise.rgb.push_back(static_cast<std::uint8_t>(i * i * 2654435761u >> 24));
  write_image(damaged.file, noise);
  const std::string bytes = read_file(damaged.file);
  REQUIRE(bytes.size() > 30000);
  std::ofstream(damaged.file, std::ios::binary) << bytes.substr(0, bytes.size() / 2);
  damaged.width = noise.width;
  damaged.height = noise.height;
  LoaderOptions options = busy_options();
  options.tiles = {.size = 12, .overlap = 0.2, .whole = true};
  const auto batches_with = [&](std::size_t whole_bytes, std::size_t cache_bytes, int workers) {
    options.whole_bytes = whole_bytes;
    options.cache_bytes = cache_bytes;
    options.workers = workers;
    Loader loader(pictures.dataset, options);
    std::vector<Batch> batches = take(loader, 40);
    CHECK(loader.take_warnings().size() == 1);
    return batches;
  };
  constexpr std::size_t kPicture = 3 * 32 * 32;
  const std::vector<Batch> strips = batches_with(0, 0, 0);
  // Not a pixel depends on where a picture lies; only a damaged one has tiles, above the damage, where strips are read.
  const auto equal = [](const Batch& a, const Batch& b) { return a.image_ids == b.image_ids && a.pixels == b.pixels; };
  int of_damaged = 0, other = 0;
  const std::vector<Batch> whole = batches_with(10 * kPicture + 3 * 64 * 256, 0, 0);
  for (std::size_t i = 0; i < strips.size(); ++i) {
    const auto count = std::count(strips[i].image_ids.begin(), strips[i].image_ids.end(), 105);
    of_damaged += static_cast<int>(count);
    CHECK(std::count(whole[i].image_ids.begin(), whole[i].image_ids.end(), 105) == 0);
    other += count == 0 && !equal(strips[i], whole[i]);
  }
  CHECK(of_damaged > 0);
  CHECK(other == 0);  // a tile below the damage is replaced by that of another picture in both
  for (const int workers : {1, 3}) {
    const std::vector<Batch> again = batches_with(0, 0, workers);
    for (std::size_t i = 0; i < strips.size(); ++i) require_equal(again[i], strips[i]);
  }
  // With room for two of the eleven these are decoded at once, and the others by strips as before.
  const std::vector<Batch> mixed = batches_with(0, 2 * kPicture, 0);
  for (std::size_t i = 0; i < strips.size(); ++i) require_equal(mixed[i], strips[i]);
  // With room for all of them none is read by strips.
  for (const Batch& batch : batches_with(0, 10 * kPicture + 3 * 64 * 256, 0)) {
    CHECK(std::count(batch.image_ids.begin(), batch.image_ids.end(), 105) == 0);
  }
}
