#include "data/pictures/picture_reader.h"

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/data/pictures/formats/check_parts.h"
#include "tests/data/pictures/formats/make_png.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

constexpr int kWidth = 19, kHeight = 31;

int sample(int x, int y, int c) { return (x * 37 + y * 101 + c * 59 + x * y) % 251; }

Image picture() {
  Image image{kWidth, kHeight, {}};
  for (int y = 0; y < kHeight; ++y) {
    for (int x = 0; x < kWidth; ++x) {
      for (int c = 0; c < 3; ++c) image.rgb.push_back(static_cast<std::uint8_t>(sample(x, y, c)));
    }
  }
  return image;
}

/// Rows of a PNG file with `bytes` bytes of every sample, each below a filter that adds the row above (2), so that a
/// row which is left out would change the others.
std::string png_rows_of(int bytes) {
  std::string rows;
  for (int y = 0; y < kHeight; ++y) {
    rows += '\2';
    for (int i = 0; i < 3 * kWidth * bytes; ++i) rows += static_cast<char>(sample(i, y, 0));
  }
  return rows;
}

/// Most memory that the process has had in RAM since reset(), in bytes, beyond what it had then; -1 where the system
/// does not tell.
class PeakMemory {
 public:
  PeakMemory() {
    std::ofstream("/proc/self/clear_refs") << "5";
    before_ = read();
  }
  std::int64_t grown() const { return before_ < 0 ? -1 : read() - before_; }

 private:
  static std::int64_t read() {
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
    }
    return -1;
  }
  std::int64_t before_;
};

constexpr std::int64_t kMiB = std::int64_t{1} << 20;

}  // namespace

TEST_CASE("parts of pictures are those of the picture decoded at once") {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "a.jpg", "a.bmp"}) {
    INFO(name);
    write_image(folder.path(name), picture());
    check_parts(folder.path(name), std::string(name) != "a.bmp");
  }
  for (const int depth : {8, 16}) {
    for (const int white : {kFullRange, 4095}) {
      const PngParts parts{kWidth, kHeight, depth, 2, false, png_rows_of(depth / 8), {}};
      check_parts(folder.write("b.png", make_png(parts)), true, white);
    }
  }
  const std::string grey = "P5 19 31 4095\n" + png_rows_of(1).substr(0, 2 * kWidth * kHeight);
  const std::string colours = "P6 19 31 200\n" + png_rows_of(1).substr(0, 3 * kWidth * kHeight);
  check_parts(folder.write("a.ppm", colours));
  check_parts(folder.write("a.pgm", grey));
  check_parts(folder.write("a.pgm", grey), true, 1023);
}

TEST_CASE("interlaced and turned pictures are decoded at once") {
  const TemporaryFolder folder;
  const std::string exif("MM\0*\0\0\0\10\0\1\1\22\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 26);
  const PngParts turned{kWidth, kHeight, 8, 2, false, png_rows_of(1), {png_chunk("eXIf", exif)}};
  check_parts(folder.write("turned.png", make_png(turned)), false);
  REQUIRE(read_image(folder.path("turned.png")).width == kHeight);
  const std::string pixel(1, '\0');
  const PngParts interlaced{1, 1, 16, 0, true, '\0' + std::string("\x12\x34"), {}};
  check_parts(folder.write("interlaced.png", make_png(interlaced)), false);
}

TEST_CASE("a damaged picture gives the parts above the damage, and then errors that name the file") {
  const TemporaryFolder folder;
  constexpr int kTall = 9000;  // more bytes than libpng reads ahead
  const std::string bytes = make_png({1, kTall, 8, 2, false, std::string(std::size_t{4} * kTall, '\0'), {}});
  const std::string file = folder.write("a.png", bytes.substr(0, bytes.size() / 2));
  PictureReader reader(file, kFullRange);
  CHECK(reader.cut({0, 0, 1, 5}).height == 5);
  CHECK(error_of([&] { reader.cut({0, kTall - 5, 1, 5}); }) == file + ": the file is truncated");
  CHECK_FALSE(error_of([&] { reader.cut({0, kTall - 5, 1, 5}); }).empty());
  CHECK(error_of([&] { reader.cut({0, 0, 2, 5}); }) == file + ": has changed while it was being read");
  CHECK(error_of([&] { PictureReader(folder.path("none.png"), kFullRange); }) ==
        folder.path("none.png") + ": no such file");
}

TEST_CASE("the memory of a part follows the part, not the picture") {
  constexpr int kSide = 20000, kTile = 100;
  const TemporaryFolder folder;
  const std::string file = folder.write("large.ppm", "P6 20000 20000 255\n");
  std::filesystem::resize_file(file, std::filesystem::file_size(file) + std::uintmax_t{3} * kSide * kSide);
  const PeakMemory peak;
  if (peak.grown() < 0) return skip("the system does not tell the memory of a process");
  PictureReader reader(file, kFullRange);
  for (const int y : {0, 50, kSide / 2, kSide - kTile, 10}) {
    const Image part = reader.cut({kSide - kTile, y, kTile, kTile});
    CHECK(part.rgb == std::vector<std::uint8_t>(part.rgb.size()));
  }
  CHECK(peak.grown() < 64 * kMiB);  // the rows have 6 MiB, the picture 1144
}
