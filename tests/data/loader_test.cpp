#include "data/loader.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <set>
#include <utility>

#include "data/shapes.h"
#include "data/shapes_stream.h"
#include "kernels/base/check.h"
#include "tests/data/loader_pictures.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// Ids of the pictures in the stream's order.
std::vector<std::int64_t> ids(Loader& loader, int batches) {
  std::vector<std::int64_t> all;
  for (const Batch& batch : take(loader, batches)) {
    all.insert(all.end(), batch.image_ids.begin(), batch.image_ids.end());
  }
  return all;
}

}  // namespace

TEST_CASE("collate pads to a common size and strings the boxes together") {
  Sample a, b;
  a.width = 3;
  a.height = 5;
  a.pixels.assign(3 * 5 * 3, 1.0f);
  a.targets = {{{0, 1, 2, 3}, 4}, {{1, 1, 3, 5}, kIgnore}};
  a.image_id = 8;
  a.original_width = 30;
  a.original_height = 50;
  b.width = 9;
  b.height = 2;
  b.pixels.assign(9 * 2 * 3, 2.0f);
  b.image_id = 9;
  const Batch batch = collate({a, b}, 4);
  CHECK(batch.images == 2);
  CHECK(batch.width == 12);
  CHECK(batch.height == 8);
  REQUIRE(batch.pixels.size() == 2 * 8 * 12 * 3);
  for (int i = 0; i < 2; ++i) {
    const Sample& s = i == 0 ? a : b;
    for (int y = 0; y < 8; ++y) {
      for (int x = 0; x < 12 * 3; ++x) {
        const float expected = y < s.height && x < 3 * s.width ? static_cast<float>(i + 1) : 0.0f;
        REQUIRE(batch.pixels[(i * 8 + y) * 36 + x] == expected);
      }
    }
  }
  CHECK(batch.offsets == std::vector<std::int32_t>{0, 2, 2});
  CHECK(batch.labels == std::vector<std::int32_t>{4, kIgnore});
  CHECK(batch.boxes == std::vector<float>{0, 1, 2, 3, 1, 1, 3, 5});
  CHECK(batch.sizes == std::vector<float>{3, 5, 9, 2});
  CHECK(batch.original_sizes == std::vector<float>{30, 50, 0, 0});
  CHECK(batch.image_ids == std::vector<std::int64_t>{8, 9});
  CHECK(collate({}, 32).offsets == std::vector<std::int32_t>{0});
}

TEST_CASE("pictures change little by little over the epochs, and from the last of the ramp on as without one") {
  const Pictures pictures;
  LoaderOptions plain = busy_options();
  plain.workers = 0;
  plain.batch_size = 11;  // an epoch
  plain.augment = {.flip = 0.5f};
  LoaderOptions strong = plain;
  strong.augment.crop = 1;
  strong.augment.scale_max = 1.5f;
  LoaderOptions ramp = strong;
  ramp.augment.ramp_epochs = 2;
  Loader plain_loader(pictures.dataset, plain), strong_loader(pictures.dataset, strong), loader(pictures.dataset, ramp);
  const std::vector<Batch> without = take(plain_loader, 4), with = take(strong_loader, 4), batches = take(loader, 4);
  require_equal(batches[0], without[0]);
  CHECK_FALSE((batches[1].pixels == without[1].pixels));
  CHECK_FALSE((batches[1].pixels == with[1].pixels));
  require_equal(batches[2], with[2]);
  require_equal(batches[3], with[3]);
}

TEST_CASE("batches do not depend on threads, cache or where the stream is entered") {
  const Pictures pictures;
  LoaderOptions options = busy_options();
  options.workers = 0;
  Loader plain(pictures.dataset, options);
  const std::vector<Batch> expected = take(plain, 12);
  CHECK_FALSE(expected[0].pixels == expected[1].pixels);

  for (const int workers : {1, 3}) {
    for (const std::size_t cache : {std::size_t{0}, std::size_t{10000}, std::size_t{1} << 20}) {
      options.workers = workers;
      options.cache_bytes = cache;
      Loader loader(pictures.dataset, options);
      for (const Batch& batch : expected) require_equal(loader.next(), batch);
    }
  }
  for (const int first : {1, 5, 11}) {
    Loader loader(pictures.dataset, options, first);
    for (std::size_t i = first; i < expected.size(); ++i) require_equal(loader.next(), expected[i]);
  }
  options.seed = 4;
  Loader other(pictures.dataset, options);
  CHECK_FALSE(other.next().pixels == expected[0].pixels);
}

/// The batch with its bytes turned into pixels.
Batch with_pixels(Batch batch) {
  batch.pixels.assign(std::size_t{3} * batch.images * batch.height * batch.width, NAN);
  cpu::pictures_to_input({batch.images, batch.height, batch.width, batch.bytes.data(), batch.pictures.data(),
                          batch.normalisation, batch.pixels.data()});
  return batch;
}

TEST_CASE("pictures that the device normalises and resizes are those of the host, bit for bit") {
  const Pictures pictures;
  LoaderOptions options = busy_options();
  options.augment.ramp_epochs = 0;
  if (GENERATE(false, true)) options.augment.saturation = options.augment.hue = 0;
  options.resize.filter = GENERATE(ResizeRule::Filter::bilinear, ResizeRule::Filter::pillow);
  options.normalisation.bgr = GENERATE(false, true);
  LoaderOptions by_device = options;
  by_device.pixels_by = PixelsBy::device;
  Loader host(pictures.dataset, options), device(pictures.dataset, by_device);
  for (int i = 0; i < 6; ++i) {
    const Batch batch = device.next();
    CHECK(batch.pixels.empty());
    require_equal(with_pixels(batch), host.next());
  }
  EvaluationLoader all(pictures.dataset, options), all_by_device(pictures.dataset, by_device);
  Batch expected, actual;
  while (all.next(expected)) {
    REQUIRE(all_by_device.next(actual));
    require_equal(with_pixels(actual), expected);
  }
}

TEST_CASE("every epoch is another permutation of all pictures") {
  const Pictures pictures;
  Loader loader(pictures.dataset, busy_options());
  const std::vector<std::int64_t> stream = ids(loader, 11);  // 44 pictures: 4 epochs of 11
  std::set<std::vector<std::int64_t>> orders;
  for (int epoch = 0; epoch < 4; ++epoch) {
    const std::vector<std::int64_t> order(stream.begin() + 11 * epoch, stream.begin() + 11 * (epoch + 1));
    orders.insert(order);
    CHECK(std::set<std::int64_t>(order.begin(), order.end()).size() == 11);
  }
  CHECK(orders.size() == 4);
}

TEST_CASE("with a repeat threshold, pictures of rare classes come again, whatever the workers and the first batch") {
  Pictures pictures;
  for (ImageRecord& record : pictures.dataset.images) {
    for (Annotation& a : record.annotations) a.category = 0;
  }
  pictures.dataset.images[4].annotations = {{1, 1, {2, 2, 10, 10}, 100}};  // 1 of 11 pictures, threshold .8: r = 2.97
  LoaderOptions options = busy_options();
  options.repeat_threshold = 0.8;
  options.workers = 0;
  const double epoch = views_per_epoch(pictures.dataset, options);
  CHECK(epoch == Approx(10 + std::sqrt(0.8 * 11)));
  CHECK(views_per_epoch(pictures.dataset, busy_options()) == 11);
  Loader plain(pictures.dataset, options);
  const std::vector<Batch> expected = take(plain, 60);
  std::int64_t rare = 0;
  std::set<std::vector<float>> versions;
  for (const Batch& batch : expected) {
    rare += std::count(batch.image_ids.begin(), batch.image_ids.end(), pictures.dataset.images[4].id);
    if (batch.image_ids[0] == pictures.dataset.images[4].id) versions.insert(batch.pixels);
  }
  CHECK(std::fabs(static_cast<double>(rare) - 240 / epoch * std::sqrt(0.8 * 11)) < 6);
  CHECK(versions.size() > 1);  // copies are augmented, each its own way

  for (const int workers : {1, 3}) {
    options.workers = workers;
    for (const int first : {0, 7, 33}) {
      Loader loader(pictures.dataset, options, first);
      for (int i = first; i < 40; ++i) require_equal(loader.next(), expected[i]);
    }
  }

  options.repeat_threshold = 1e-6;  // every class is in more pictures: the order is that of before
  Loader off(pictures.dataset, busy_options()), on(pictures.dataset, options);
  for (int i = 0; i < 8; ++i) require_equal(on.next(), off.next());
}

TEST_CASE("pictures that cannot be decoded are replaced and reported once") {
  const Pictures pictures;
  LoaderOptions options = busy_options();
  options.workers = 0;
  Loader whole(pictures.dataset, options);
  const std::vector<std::int64_t> order = ids(whole, 11);
  CHECK(whole.take_warnings().empty());

  pictures.break_picture(2);
  std::filesystem::remove(pictures.dataset.images[7].file);
  const auto broken = [](std::int64_t id) { return id == 102 || id == 107; };
  std::vector<std::int64_t> expected;
  for (int i = 0; i < 44; ++i) {
    int position = i % 11;
    while (broken(order[i / 11 * 11 + position])) position = (position + 1) % 11;
    expected.push_back(order[i / 11 * 11 + position]);
  }
  for (const int workers : {0, 3}) {
    options.workers = workers;
    Loader loader(pictures.dataset, options);
    CHECK(ids(loader, 11) == expected);
    std::vector<std::string> warnings = loader.take_warnings();
    std::sort(warnings.begin(), warnings.end());
    REQUIRE(warnings.size() == 2);
    CHECK(warnings[0].find(pictures.dataset.images[2].file + ": ") == 0);
    CHECK(warnings[1].find(pictures.dataset.images[7].file + ": ") == 0);
    ids(loader, 3);
    CHECK(loader.take_warnings().empty());
  }
}

TEST_CASE("the cache keeps the first pictures that fit, and no more") {
  constexpr std::size_t kPicture = 32 * 32 * 3;
  for (const auto& [bytes, kept] : {std::pair{3 * kPicture, 3}, std::pair{3 * kPicture - 1, 2}}) {
    const Pictures pictures;
    LoaderOptions options = busy_options();
    options.batch_size = 11;
    options.workers = 0;
    options.cache_bytes = bytes;
    Loader loader(pictures.dataset, options);
    const std::vector<std::int64_t> first = loader.next().image_ids;
    for (int i = 0; i < 11; ++i) pictures.break_picture(i);
    const std::vector<std::int64_t> left = loader.next().image_ids;
    CHECK(loader.take_warnings().size() == static_cast<std::size_t>(11 - kept));
    CHECK(std::set<std::int64_t>(left.begin(), left.end()) ==
          std::set<std::int64_t>(first.begin(), first.begin() + kept));
  }
}

TEST_CASE("sets without a single picture are errors") {
  const Pictures pictures;
  CHECK_THROWS_AS(Loader(Dataset{}, busy_options()), Error);
  for (int i = 0; i < 11; ++i) pictures.break_picture(i);
  for (const int workers : {0, 2}) {
    LoaderOptions options = busy_options();
    options.workers = workers;
    Loader loader(pictures.dataset, options);
    CHECK(test::error_of([&] { loader.next(); }).find("none of the 11 pictures can be decoded") == 0);
    CHECK_THROWS_AS(loader.next(), Error);
  }
  LoaderOptions options = busy_options();
  options.batch_size = 0;
  CHECK_THROWS_AS(Loader(pictures.dataset, options), Error);
  options = busy_options();
  options.workers = -1;
  CHECK_THROWS_AS(Loader(pictures.dataset, options), Error);
  CHECK_THROWS_AS(Loader(pictures.dataset, busy_options(), -1), Error);
}

TEST_CASE("a loader can be given up at any time") {
  const Pictures pictures;
  LoaderOptions options = busy_options();
  options.workers = 3;
  for (int taken = 0; taken < 8; ++taken) {
    Loader loader(pictures.dataset, options);
    CHECK(take(loader, taken).size() == static_cast<std::size_t>(taken));
  }
}

TEST_CASE("evaluation goes through the set once, in order and unchanged") {
  const Pictures pictures;
  for (const int workers : {0, 1, 3}) {
    LoaderOptions options = busy_options();
    options.workers = workers;
    EvaluationLoader loader(pictures.dataset, options);
    Batch batch;
    std::int64_t id = 100;
    std::vector<int> sizes;
    while (loader.next(batch)) {
      sizes.push_back(batch.images);
      for (const std::int64_t image_id : batch.image_ids) REQUIRE(image_id == id++);
    }
    CHECK(id == 111);
    CHECK(sizes == std::vector<int>{4, 4, 3});
    CHECK_FALSE(loader.next(batch));
    CHECK(batch.names == std::vector<std::string>{"8.png", "9.png", "10.png"});

    const ImageRecord& last = pictures.dataset.images[10];
    const Sample sample = prepare(read_image(last.file), last, options.resize, options.normalisation);
    REQUIRE(sample.width == 40);
    REQUIRE(batch.width == 64);  // a multiple of 32
    const float* row = &batch.pixels[std::size_t{2} * 64 * 64 * 3];
    CHECK(std::equal(sample.pixels.begin(), sample.pixels.begin() + 40 * 3, row));
  }
  const Dataset empty;
  Batch batch;
  CHECK_FALSE(EvaluationLoader(empty, busy_options()).next(batch));
}

TEST_CASE("a picture that cannot be decoded is an error in evaluation") {
  const Pictures pictures;
  pictures.break_picture(5);
  for (const int workers : {0, 2}) {
    LoaderOptions options = busy_options();
    options.workers = workers;
    EvaluationLoader loader(pictures.dataset, options);
    Batch batch;
    CHECK(loader.next(batch));
    CHECK(test::error_of([&] { loader.next(batch); }).find(pictures.dataset.images[5].file + ": ") == 0);
  }
}

TEST_CASE("an evaluation that may skips pictures that cannot be decoded, and tells them") {
  const Pictures pictures;
  for (const int broken : {1, 4, 5, 6, 7}) pictures.break_picture(broken);
  LoaderOptions options = busy_options();
  options.batch_size = 4;
  options.workers = GENERATE(0, 2);
  EvaluationLoader strict(pictures.dataset, options);
  Batch batch;
  CHECK(test::error_of([&] { strict.next(batch); }).starts_with(pictures.dataset.images[1].file + ": "));

  options.skip_undecodable = true;
  EvaluationLoader loader(pictures.dataset, options);
  std::vector<std::size_t> sizes;
  std::vector<std::int64_t> found;
  while (loader.next(batch)) {
    sizes.push_back(batch.image_ids.size());
    CHECK(batch.images == std::ssize(batch.image_ids));
    found.insert(found.end(), batch.image_ids.begin(), batch.image_ids.end());
  }
  CHECK(sizes == std::vector<std::size_t>{3, 0, 3});
  std::vector<std::int64_t> expected;
  for (const int i : {0, 2, 3, 8, 9, 10}) expected.push_back(pictures.dataset.images[static_cast<std::size_t>(i)].id);
  CHECK(found == expected);
  std::vector<UnreadablePicture> skipped = loader.take_skipped();
  std::sort(skipped.begin(), skipped.end());
  std::vector<std::size_t> images;
  for (const UnreadablePicture& picture : skipped) {
    images.push_back(picture.image);
    CHECK(picture.reason.starts_with(pictures.dataset.images[picture.image].file + ": "));
  }
  CHECK(images == std::vector<std::size_t>{1, 4, 5, 6, 7});
  CHECK(loader.take_skipped().empty());
}

TEST_CASE("a stream gives fresh pictures: none twice, the same for any number of workers and from any batch on") {
  ShapesOptions shapes;
  shapes.size = 32;
  Dataset dataset{shapes_categories(), {}, {}};
  dataset.images.push_back({.id = 1, .file = "/nowhere.png", .name = "example", .annotations = {}});  // never opened
  dataset.stream = shapes_stream(shapes);
  LoaderOptions options = busy_options();
  options.workers = 0;
  Loader loader(dataset, options);
  const std::vector<Batch> batches = take(loader, 6);
  std::set<std::string> names;
  for (const Batch& batch : batches) {
    REQUIRE(batch.images == 4);
    names.insert(batch.names.begin(), batch.names.end());
  }
  CHECK(names.size() == 24);
  CHECK(loader.take_warnings().empty());

  options.workers = 3;
  Loader others(dataset, options, 2);
  for (int i = 2; i < 6; ++i) require_equal(others.next(), batches[i]);
  options.seed = 4;
  Loader other_seed(dataset, options);
  CHECK(other_seed.next().pixels != batches[0].pixels);

  // Unchanged, they are the stream's.
  options = {};
  options.batch_size = 1;
  options.seed = 9;
  options.augment.flip = 0;
  options.resize = {.kind = ResizeRule::Kind::shorter_side, .min_sizes = {32}, .max_size = 32, .round = false};
  Loader plain(dataset, options, 7);
  ImageRecord record;
  dataset.stream->make(9, 7, record);
  const Batch batch = plain.next();
  REQUIRE(batch.labels.size() == record.annotations.size());
  for (std::size_t i = 0; i < record.annotations.size(); ++i) {
    CHECK(batch.labels[i] == record.annotations[i].category);
    CHECK(batch.boxes[4 * i] == record.annotations[i].rect.box().x1);
  }
}
