#include "data/shapes_stream.h"

#include <set>

#include "kernels/base/check.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using test::contains;
using test::error_of;

namespace {

ShapesOptions some_options() {
  ShapesOptions options;
  options.size = 32;
  options.min_object_size = 0.2f;
  options.noise = 0.1f;
  options.forms = 4;
  options.colours = 2;
  options.missing = 0.25f;
  options.rich = true;
  options.seed = (std::uint64_t{1} << 63) + 5;
  return options;
}

}  // namespace

TEST_CASE("pictures of a stream follow from seed and number, and are none of the written set") {
  const auto stream = shapes_stream(some_options());
  std::set<std::vector<std::uint8_t>> all;
  ImageRecord record, again;
  for (std::int64_t i = 0; i < 20; ++i) {
    for (const std::uint64_t seed : {0, 1}) {
      const Image image = stream->make(seed, i, record);
      CHECK(image.rgb == stream->make(seed, i, again).rgb);
      CHECK(record.annotations.size() == again.annotations.size());
      all.insert(image.rgb);
    }
    all.insert(make_shapes_image(some_options(), static_cast<std::uint64_t>(i), record).rgb);
  }
  CHECK(all.size() == 60);
}

TEST_CASE("a stream leaves out the labels that a training set does not have") {
  ShapesOptions options = some_options();
  options.empty = 0;
  options.min_objects = options.max_objects = 1;
  const auto stream = shapes_stream(options);
  int boxes = 0;
  for (std::int64_t i = 0; i < 100; ++i) {
    ImageRecord record;
    stream->make(3, i, record);
    boxes += static_cast<int>(record.annotations.size());
  }
  CHECK(boxes > 60);
  CHECK(boxes < 90);
}

TEST_CASE("a recipe gives back the options") {
  const test::TemporaryFolder folder;
  const std::string file = shapes_recipe_file(folder.path());
  CHECK(file == folder.path("shapes.json"));
  write_shapes_recipe(file, some_options());
  CHECK(shapes_stream(read_shapes_recipe(file))->text() == shapes_stream(some_options())->text());
  test::write_bytes(file, R"({"diopter_shapes": {"size": 48}})");  // of a version with fewer options
  ShapesOptions defaults;
  defaults.size = 48;
  CHECK(shapes_stream(read_shapes_recipe(file))->text() == shapes_stream(defaults)->text());
}

TEST_CASE("files that are no recipe are refused") {
  const test::TemporaryFolder folder;
  const std::string file = folder.path("shapes.json");
  const auto error_for = [&](const std::string& text) {
    test::write_bytes(file, text);
    return error_of([&] { read_shapes_recipe(file); });
  };
  CHECK(contains(error_for("[1"), "is no shapes.json"));
  CHECK(contains(error_for("[]"), "is no shapes.json"));
  CHECK(contains(error_for(R"({"diopter_shapes": 3})"), "is no shapes.json"));
  CHECK(contains(error_for(R"({"diopter_shapes": {"size": 48.5}})"), "size must be an integer"));
  CHECK(contains(error_for(R"({"diopter_shapes": {"noise": "much"}})"), "noise must be a number"));
  CHECK(contains(error_for(R"({"diopter_shapes": {"rich": 1}})"), "rich must be true or false"));
  CHECK(contains(error_for(R"({"diopter_shapes": {"sise": 48}})"), "unknown key sise"));
  CHECK(contains(error_for(R"({"diopter_shapes": {"size": 1}})"), "size is 1"));
  CHECK(contains(error_of([&] { read_shapes_recipe(folder.path("none.json")); }), "none.json"));
}
