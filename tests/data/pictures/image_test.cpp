#include "data/pictures/image.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "data/pictures/formats/exif.h"
#include "kernels/base/json.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

Image gradient(int width, int height) {
  Image image{width, height, std::vector<std::uint8_t>(std::size_t{3} * width * height)};
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      image.pixel(x, y)[0] = static_cast<std::uint8_t>(255 * x / std::max(1, width - 1));
      image.pixel(x, y)[1] = static_cast<std::uint8_t>(255 * y / std::max(1, height - 1));
      image.pixel(x, y)[2] = 77;
    }
  }
  return image;
}

/// An EXIF segment with the orientation as the second entry of its directory.
std::string exif_segment(int orientation, bool big_endian) {
  const auto integer = [&](unsigned value, int bytes) {
    std::string text;
    for (int i = 0; i < bytes; ++i) {
      const int shift = 8 * (big_endian ? bytes - 1 - i : i);
      text += static_cast<char>(value >> shift & 0xFF);
    }
    return text;
  };
  const std::string tiff = (big_endian ? "MM" : "II") + integer(42, 2) + integer(8, 4) + integer(2, 2) +
                           integer(0x0100, 2) + integer(3, 2) + integer(1, 4) + integer(99, 2) + integer(0, 2) +
                           integer(0x0112, 2) + integer(3, 2) + integer(1, 4) +
                           integer(static_cast<unsigned>(orientation), 2) + integer(0, 2) + integer(0, 4);
  const std::string content = std::string("Exif\0\0", 6) + tiff;
  const std::size_t length = content.size() + 2;
  return std::string("\xFF\xE1") + static_cast<char>(length >> 8) + static_cast<char>(length & 0xFF) + content;
}

double mean_difference(const Image& a, const Image& b) {
  REQUIRE(a.width == b.width);
  REQUIRE(a.height == b.height);
  double sum = 0;
  for (std::size_t i = 0; i < a.rgb.size(); ++i) sum += std::abs(a.rgb[i] - b.rgb[i]);
  return sum / static_cast<double>(a.rgb.size());
}

double mean_of_channel(const Image& image, int channel) {
  double sum = 0;
  for (std::size_t i = static_cast<std::size_t>(channel); i < image.rgb.size(); i += 3) sum += image.rgb[i];
  return 3 * sum / static_cast<double>(image.rgb.size());
}

}  // namespace

TEST_CASE("pictures written and read again are the same") {
  const TemporaryFolder folder;
  for (const auto& [width, height] : {std::pair(1, 1), std::pair(5, 3), std::pair(64, 33)}) {
    const Image image = gradient(width, height);
    for (const char* name : {"a.png", "a.BMP"}) {
      write_image(folder.path(name), image);
      const Image read = read_image(folder.path(name));
      REQUIRE(read.width == width);
      REQUIRE(read.height == height);
      REQUIRE(read.rgb == image.rgb);
    }
    write_image(folder.path("a.jpg"), image);
    // Colours of a JPEG picture are stored at half the size: too coarse for a few pixels.
    CHECK(mean_difference(read_image(folder.path("a.jpg")), image) < (width < 8 ? 40 : 4));
    int read_width = 0, read_height = 0;
    read_image_size(folder.path("a.jpg"), read_width, read_height);
    CHECK(std::pair(read_width, read_height) == std::pair(width, height));
  }
}

TEST_CASE("a picture is turned upright by its EXIF orientation") {
  const TemporaryFolder folder;
  // Stored: red, green / blue, white. Upright corners by orientation: left top, right top, left bottom, right bottom.
  const std::string corners[8] = {"RGBW", "GRWB", "WBGR", "BWRG", "RBGW", "BRWG", "WGBR", "GWRB"};
  Image stored{32, 16, std::vector<std::uint8_t>(3 * 32 * 16, 0)};
  for (int y = 0; y < 16; ++y) {
    for (int x = 0; x < 32; ++x) {
      const int quarter = (y >= 8 ? 2 : 0) + (x >= 16 ? 1 : 0);
      for (int c = 0; c < 3; ++c) stored.pixel(x, y)[c] = quarter == c || quarter == 3 ? 255 : 0;
    }
  }
  write_image(folder.path("stored.jpg"), stored);
  const std::string jpeg = read_bytes(folder.path("stored.jpg"));

  for (int orientation = 1; orientation <= 8; ++orientation) {
    for (const bool big_endian : {false, true}) {
      INFO("orientation " << orientation << ", big endian " << big_endian);
      const std::string bytes = jpeg.substr(0, 2) + exif_segment(orientation, big_endian) + jpeg.substr(2);
      REQUIRE(exif_orientation(bytes) == orientation);
      const std::string file = folder.write("turned.jpg", bytes);
      const Image image = read_image(file);
      int width = 0, height = 0;
      read_image_size(file, width, height);
      CHECK(width == (orientation >= 5 ? 16 : 32));
      CHECK(height == (orientation >= 5 ? 32 : 16));
      REQUIRE(std::pair(image.width, image.height) == std::pair(width, height));
      std::string seen;
      for (const int y : {1, height - 2}) {
        for (const int x : {1, width - 2}) {
          const std::uint8_t* p = image.pixel(x, y);
          const int bright = (p[0] > 128) + (p[1] > 128) + (p[2] > 128);
          seen += bright == 3 ? 'W' : p[0] > 128 ? 'R' : p[1] > 128 ? 'G' : 'B';
        }
      }
      CHECK(seen == corners[orientation - 1]);
    }
  }
}

TEST_CASE("turning upright moves every pixel to its place") {
  const TemporaryFolder folder;
  const int w = 13, h = 7;
  Image random{w, h, std::vector<std::uint8_t>(3 * w * h)};
  for (std::size_t i = 0; i < random.rgb.size(); ++i) random.rgb[i] = static_cast<std::uint8_t>(i * 97 % 251);
  write_image(folder.path("stored.jpg"), random);
  const std::string jpeg = read_bytes(folder.path("stored.jpg"));
  const Image stored = read_image(folder.path("stored.jpg"));
  // A segment of other things before it, longer than a byte can say.
  const std::string comment = "\xFF\xFE\x01\x2E" + std::string(300, 'x');
  for (int orientation = 1; orientation <= 8; ++orientation) {
    INFO("orientation " << orientation);
    const std::string bytes = jpeg.substr(0, 2) + comment + exif_segment(orientation, true) + jpeg.substr(2);
    const Image image = read_image(folder.write("turned.jpg", bytes));
    for (int y = 0; y < h; ++y) {
      for (int x = 0; x < w; ++x) {
        const int last_x = w - 1 - x, last_y = h - 1 - y;
        const std::pair<int, int> places[8] = {{x, y}, {last_x, y}, {last_x, last_y}, {x, last_y},
                                               {y, x}, {last_y, x}, {last_y, last_x}, {y, last_x}};
        const auto [to_x, to_y] = places[orientation - 1];
        REQUIRE(std::equal(stored.pixel(x, y), stored.pixel(x, y) + 3, image.pixel(to_x, to_y)));
      }
    }
  }
}

TEST_CASE("EXIF data that make no sense leave the picture as stored") {
  const std::string sound = "\xFF\xD8" + exif_segment(6, true) + std::string("\xFF\xDA\0\0", 4);
  CHECK(exif_orientation(sound) == 6);
  for (std::size_t length = 0; length < sound.size() - 13; ++length) {  // cut before the orientation's value
    CHECK(exif_orientation(sound.substr(0, length)) == 1);
  }
  for (const int orientation : {0, 9, 65535}) {
    const std::string bytes = "\xFF\xD8" + exif_segment(orientation, false);
    CHECK(exif_orientation(bytes) == 1);
  }
  for (std::size_t at = 2; at < sound.size(); ++at) {  // a damaged byte anywhere: any answer, but within bounds
    for (const char damage : {'\0', '\x7F', '\xFF'}) {
      std::string bytes = sound;
      bytes[at] = damage;
      const int orientation = exif_orientation(bytes);
      CHECK((orientation >= 1 && orientation <= 8));
    }
  }
}

TEST_CASE("truncated pictures are errors") {
  const TemporaryFolder folder;
  for (const std::string name : {"a.png", "a.jpg", "a.bmp"}) {
    write_image(folder.path(name), gradient(40, 30));
    const std::string bytes = read_bytes(folder.path(name));
    for (const double share : {0.05, 0.3, 0.6, 0.9, 0.97}) {
      const auto length = static_cast<std::size_t>(share * static_cast<double>(bytes.size()));
      const std::string file = folder.write("cut_" + name, bytes.substr(0, length));
      INFO(name << " cut to " << length << " of " << bytes.size() << " bytes");
      const std::string error = error_of([&] { read_image(file); });
      CHECK(contains(error, file + ": "));
    }
    const std::string file = folder.write("cut_" + name, bytes.substr(0, bytes.size() - 1));
    CHECK(contains(error_of([&] { read_image(file); }), file + ": "));
  }
}

TEST_CASE("files that are no pictures are errors that name the file") {
  const TemporaryFolder folder;
  const auto error = [](const std::string& file) {
    int width = 0, height = 0;
    const std::string of_size = error_of([&] { read_image_size(file, width, height); });
    const std::string of_picture = error_of([&] { read_image(file); });
    CHECK(contains(of_size, file + ": "));
    return of_picture;
  };
  CHECK(error(folder.path("none.png")) == folder.path("none.png") + ": no such file");
  CHECK(error(folder.path()) == folder.path() + ": not a file");
  CHECK(error(folder.write("empty.png", "")) == folder.path("empty.png") + ": the file is empty");
  CHECK(contains(error(folder.write("text.png", "not a picture at all")), "text.png: cannot be decoded"));

  // A BMP header that claims 20000 x 20000 pixels is refused before any memory is asked for.
  std::string header("BM\0\0\0\0\0\0\0\0\x36\0\0\0\x28\0\0\0\x20\x4E\0\0\x20\x4E\0\0\x01\0\x18\0", 30);
  header.resize(54, '\0');
  const std::string huge = folder.write("huge.bmp", header);
  CHECK(error_of([&] { read_image(huge); }) == huge + ": 20000x20000 in 54 bytes: decoding would take 2288 MiB");
  // One whose bytes would be more than 64 bits can count.
  header.replace(18, 8, "\0\x03\0\x57\0\0\0\x7F", 8);
  const std::string larger = folder.write("larger.bmp", header);
  CHECK(error_of([&] { read_image(larger); }) == larger + ": 1459618560x2130706432 is larger than 512 megapixels");
}

TEST_CASE("pictures that cannot be written are errors and leave nothing behind") {
  const TemporaryFolder folder;
  const Image image = gradient(4, 4);
  CHECK(contains(error_of([&] { write_image(folder.path("a.gif"), image); }), "a.gif: cannot write: the extension"));
  for (const auto& size : {std::pair{0, 0}, {0, 5}, {5, 0}}) {
    CHECK(error_of([&] {
            write_image(folder.path("a.png"), Image{size.first, size.second, {}});
          }) == folder.path("a.png") + ": cannot write: the picture is empty");
  }
  const std::string nowhere = folder.path("no_such_folder/a.png");
  CHECK(error_of([&] { write_image(nowhere, image); }) == nowhere + ": cannot write: No such file or directory");
  std::filesystem::create_directories(folder.path("b.png/inside"));
  CHECK(contains(error_of([&] { write_image(folder.path("b.png"), image); }), "b.png: cannot write: "));
  std::filesystem::remove_all(folder.path("b.png"));
  CHECK(std::filesystem::is_empty(folder.path()));
}

TEST_CASE("pictures of other programs are read or refused") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  const std::string folder = data + "/datasets/decode_images/";
  // Kinds that stb_image does not know: run-length coded and old OS/2 BMP files. Damaged data that Pillow makes
  // something of: JPEG files with missing or wrong codes, a PNG file with a wrong checksum.
  const std::set<std::string> may_be_refused = {
      "bmp_image_rs/Core_1_Bit.bmp",
      "bmp_image_rs/badplanes.bmp",
      "bmp_image_rs/badrle.bmp",
      "bmp_image_rs/imagemagick_invalid_run_length_issue_2321.bmp",
      "bmp_image_rs/pal4rle.bmp",
      "bmp_image_rs/pal4rlecut.bmp",
      "bmp_image_rs/pal4rletrns.bmp",
      "bmp_image_rs/pal8rle.bmp",
      "bmp_image_rs/rletopdown.bmp",
      "jpeg_decoder_broken/dc-predictor-overflow.jpg",
      "jpeg_decoder_broken/subtract-with-overflow.jpg",
      "jpeg_decoder_reftest/partial_progressive.jpg",
      "pngsuite/xcsn0g01.png",
  };
  const nlohmann::json expected = parse_json(read_bytes(folder + "expected_by_pillow_9_4.json"));
  int decoded = 0, compared_means = 0;
  for (const auto& [name, facts] : expected.items()) {
    INFO(name);
    const std::string file = folder + name;
    Image image;
    const std::string error = error_of([&] { image = read_image(file); });
    if (!error.empty()) {
      CHECK(contains(error, file + ": "));
      CHECK((!facts.at("ok").get<bool>() || may_be_refused.count(name)));
      continue;
    }
    int width = 0, height = 0;
    read_image_size(file, width, height);
    CHECK(std::pair(width, height) == std::pair(image.width, image.height));
    REQUIRE(image.rgb.size() == std::size_t{3} * width * height);
    if (!facts.at("ok").get<bool>()) continue;
    ++decoded;
    int stored_width = facts.at("width"), stored_height = facts.at("height");
    if (facts.value("exif_orientation", 1) >= 5) std::swap(stored_width, stored_height);
    CHECK(std::pair(width, height) == std::pair(stored_width, stored_height));
    if (facts.contains("mean_rgb_approx")) {
      ++compared_means;
      for (int c = 0; c < 3; ++c) {
        CHECK(std::fabs(mean_of_channel(image, c) - facts.at("mean_rgb_approx").at(c).get<double>()) < 6);
      }
    }
  }
  CHECK(decoded >= 290);
  CHECK(compared_means >= 50);
}

TEST_CASE("JPEG files decode as their references do") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  // Left out: pictures of so few pixels that the way of enlarging their colours decides, and a damaged one.
  const std::set<std::string> left_out = {"jpg-size-3x3.jpg", "jpg-size-4x4.jpg", "progressive-missing-dc.jpg"};
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(data + "/datasets/decode_images/jpeg_decoder_reftest")) {
    std::filesystem::path reference = entry.path();
    reference.replace_extension(".png");
    if (entry.path().extension() != ".jpg" || !std::filesystem::exists(reference)) continue;
    if (left_out.count(entry.path().filename().string())) continue;
    Image image;
    if (!error_of([&] { image = read_image(entry.path().string()); }).empty()) continue;
    INFO(entry.path());
    CHECK(mean_difference(image, read_image(reference.string())) < 4);
    ++compared;
  }
  CHECK(compared >= 25);
}

TEST_CASE("photographs in all EXIF orientations show the same upright picture") {
  const std::string data = test_data_folder();
  if (data.empty()) return skip("DIOPTER_TEST_DATA is not set");
  constexpr int kWidth = 40, kHeight = 30;
  const auto thumbnail = [&](int orientation) {
    const Image image =
        read_image(data + "/datasets/decode_images/exif_orientation/landscape_" + std::to_string(orientation) + ".jpg");
    REQUIRE(std::pair(image.width, image.height) == std::pair(600, 450));
    std::vector<double> means(kWidth * kHeight * 3);
    for (int y = 0; y < image.height; ++y) {
      for (int x = 0; x < image.width; ++x) {
        double* mean =
            &means[3 * static_cast<std::size_t>(y * kHeight / image.height * kWidth + x * kWidth / image.width)];
        for (int c = 0; c < 3; ++c) mean[c] += image.pixel(x, y)[c] / 225.0;  // 15 x 15 pixels a point
      }
    }
    return means;
  };
  const auto difference = [](const std::vector<double>& a, const std::vector<double>& b) {
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) sum += std::fabs(a[i] - b[i]);
    return sum / static_cast<double>(a.size());
  };
  const std::vector<double> first = thumbnail(1), second = thumbnail(2);
  CHECK(difference(first, second) < 20);  // the first file holds a brighter copy
  for (int orientation = 3; orientation <= 8; ++orientation) {
    INFO("orientation " << orientation);
    CHECK(difference(thumbnail(orientation), second) < 2);
  }
}

TEST_CASE("GIF: further frames are noticed") {
  const std::string header("GIF89a\2\0\2\0\x80\0\0\xFF\0\0\0\0\xFF", 19);
  const std::string control("!\xF9\4\1\0\0\0\0", 8), frame(",\0\0\0\0\2\0\2\0\0\2\3D\2\5\0", 16), end = ";";
  CHECK_FALSE(decode_image(header + control + frame + end).more);
  CHECK(decode_image(header + control + frame + control + frame + end).more);
  CHECK(decode_image(header + frame + frame).rgb == decode_image(header + frame).rgb);
  // A table of colours of the frame's own.
  const std::string own(",\0\0\0\0\2\0\2\0\x80;,;,;,\2\3D\2\5\0", 22);
  CHECK_FALSE(decode_image(header + own + end).more);
  CHECK(decode_image(header + own + own + end).more);
}
