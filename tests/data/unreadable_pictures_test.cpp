#include "data/unreadable_pictures.h"

#include "data/pictures/image.h"
#include "tests/support/files.h"

using namespace diopter;
using test::TemporaryFolder;

namespace {

/// Pictures 0.png, 1.png, ... of one colour.
struct BrokenPictures {
  TemporaryFolder folder;
  Dataset dataset;

  explicit BrokenPictures(int count) {
    for (int i = 0; i < count; ++i) {
      const std::string name = std::to_string(i) + ".png", file = folder / name;
      write_image(file, {40, 30, std::vector<std::uint8_t>(40 * 30 * 3, 90)});
      dataset.images.push_back({.id = 100 + i, .file = file, .name = name, .annotations = {}});
    }
  }
  const std::string& file(std::size_t i) const { return dataset.images[i].file; }
};

std::vector<std::size_t> images_of(const std::vector<UnreadablePicture>& unreadable) {
  std::vector<std::size_t> images;
  for (const UnreadablePicture& picture : unreadable) images.push_back(picture.image);
  return images;
}

}  // namespace

TEST_CASE("a quick look finds pictures that are missing, empty or something else") {
  const BrokenPictures pictures(40);  // several threads look
  CHECK(unreadable_pictures(pictures.dataset, Look::header).empty());
  CHECK(unreadable_pictures(pictures.dataset, Look::whole).empty());
  std::filesystem::remove(pictures.file(3));
  test::write_bytes(pictures.file(20), "");
  test::write_bytes(pictures.file(21), "this is no picture");
  std::filesystem::remove(pictures.file(39));
  std::filesystem::create_directory(pictures.file(39));
  for (const Look look : {Look::header, Look::whole}) {
    const auto found = unreadable_pictures(pictures.dataset, look);
    REQUIRE(images_of(found) == std::vector<std::size_t>{3, 20, 21, 39});
    CHECK(found[0].reason == pictures.file(3) + ": no such file");
    CHECK(found[1].reason == pictures.file(20) + ": the file is empty");
    CHECK(found[2].reason.starts_with(pictures.file(21) + ": cannot be decoded"));
    CHECK(found[3].reason == pictures.file(39) + ": not a file");
  }
}

TEST_CASE("damage behind the header is found by a look at the whole picture") {
  const BrokenPictures pictures(2);
  std::filesystem::resize_file(pictures.file(1), std::filesystem::file_size(pictures.file(1)) - 20);
  CHECK(unreadable_pictures(pictures.dataset, Look::header).empty());
  CHECK(images_of(unreadable_pictures(pictures.dataset, Look::whole)) == std::vector<std::size_t>{1});
}

TEST_CASE("unreadable pictures in words: their number and the first three") {
  const auto text = [](std::size_t count) {
    std::vector<UnreadablePicture> unreadable;
    for (std::size_t i = 0; i < count; ++i) unreadable.push_back({i, std::to_string(i) + ".png: no such file"});
    return describe(unreadable, 20, "validation pictures");
  };
  CHECK(text(1) == "1 of the 20 validation pictures cannot be read: 0.png: no such file");
  CHECK(
      text(3) ==
      "3 of the 20 validation pictures cannot be read: 0.png: no such file; 1.png: no such file; 2.png: no such file");
  CHECK(text(4) ==
        "4 of the 20 validation pictures cannot be read: 0.png: no such file; 1.png: no such file; 2.png: no "
        "such file; ...");
}

TEST_CASE("a set without its unreadable pictures keeps the others in their order") {
  const BrokenPictures pictures(5);
  const auto ids = [&](const std::vector<UnreadablePicture>& unreadable) {
    std::vector<std::int64_t> result;
    for (const ImageRecord& image : without(pictures.dataset, unreadable).images) result.push_back(image.id);
    return result;
  };
  CHECK(ids({}) == std::vector<std::int64_t>{100, 101, 102, 103, 104});
  CHECK(ids({{0, ""}, {2, ""}, {3, ""}}) == std::vector<std::int64_t>{101, 104});
  CHECK(ids({{4, ""}}) == std::vector<std::int64_t>{100, 101, 102, 103});
}
