#include "data/pictures/formats/jpeg.h"

#include <cstdio>
#include <cstdlib>
#include <functional>

#include <jpeglib.h>

#include "tests/data/pictures/formats/check_parts.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// A picture of one colour as JPEG; `change` sets further parameters of the compressor.
std::string make_jpeg(int width, int height, const std::vector<std::uint8_t>& pixel, J_COLOR_SPACE space,
                      const std::function<void(jpeg_compress_struct&)>& change = {}) {
  jpeg_compress_struct info;
  jpeg_error_mgr errors;
  info.err = jpeg_std_error(&errors);
  jpeg_create_compress(&info);
  unsigned char* memory = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &memory, &size);
  info.image_width = static_cast<JDIMENSION>(width);
  info.image_height = static_cast<JDIMENSION>(height);
  info.input_components = static_cast<int>(pixel.size());
  info.in_color_space = space;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, 100, TRUE);
  if (change) change(info);
  jpeg_start_compress(&info, TRUE);
  std::vector<std::uint8_t> row;
  for (int x = 0; x < width; ++x) row.insert(row.end(), pixel.begin(), pixel.end());
  for (int y = 0; y < height; ++y) {
    JSAMPROW at = row.data();
    jpeg_write_scanlines(&info, &at, 1);
  }
  jpeg_finish_compress(&info);
  std::string bytes(reinterpret_cast<char*>(memory), size);
  jpeg_destroy_compress(&info);
  std::free(memory);
  return bytes;
}

/// Whether the picture has this one colour, within the rounding of colour conversions.
bool has_colour(const std::string& bytes, const std::vector<int>& rgb) {
  const Image image = decode_image(bytes);
  for (std::size_t i = 0; i < image.rgb.size(); ++i) {
    if (std::abs(image.rgb[i] - rgb[i % 3]) > 2) return false;
  }
  return !image.rgb.empty();
}

/// Position of the segment with this marker.
std::size_t find_segment(const std::string& bytes, int marker) {
  return bytes.find(std::string("\xFF") + static_cast<char>(marker));
}

}  // namespace

TEST_CASE("JPEG: grey, colours, inks, progressive and arithmetic coding") {
  CHECK(has_colour(make_jpeg(9, 5, {70}, JCS_GRAYSCALE), {70, 70, 70}));
  CHECK(has_colour(make_jpeg(9, 5, {200, 100, 50}, JCS_RGB), {200, 100, 50}));
  const auto as_rgb = [](jpeg_compress_struct& info) { jpeg_set_colorspace(&info, JCS_RGB); };
  CHECK(has_colour(make_jpeg(9, 5, {200, 100, 50}, JCS_RGB, as_rgb), {200, 100, 50}));
  CHECK(has_colour(make_jpeg(9, 5, {200, 100, 50}, JCS_RGB, [](auto& info) { jpeg_simple_progression(&info); }),
                   {200, 100, 50}));
  CHECK(
      has_colour(make_jpeg(9, 5, {200, 100, 50}, JCS_RGB, [](auto& info) { info.arith_code = TRUE; }), {200, 100, 50}));
  // Inks without Adobe's marker: cyan 255 leaves no red; black 51 takes a fifth of the light.
  const auto no_adobe = [](jpeg_compress_struct& info) {
    jpeg_set_colorspace(&info, JCS_CMYK);
    info.write_Adobe_marker = FALSE;
  };
  CHECK(has_colour(make_jpeg(9, 5, {255, 0, 55, 51}, JCS_CMYK, no_adobe), {0, 204, 160}));
  // With it they are inverted.
  CHECK(has_colour(make_jpeg(9, 5, {0, 255, 200, 204}, JCS_CMYK), {0, 204, 160}));
  const auto as_ycck = [](jpeg_compress_struct& info) { jpeg_set_colorspace(&info, JCS_YCCK); };
  CHECK(has_colour(make_jpeg(9, 5, {0, 255, 200, 204}, JCS_CMYK, as_ycck), {0, 204, 160}));
}

TEST_CASE("JPEG: the size stands in the header") {
  const std::string bytes = make_jpeg(9, 5, {70}, JCS_GRAYSCALE);
  constexpr std::size_t kScanHeader = 10;
  const PictureHeader header = jpeg_header(bytes.substr(0, find_segment(bytes, 0xDA) + kScanHeader));
  CHECK(std::pair(header.width, header.height) == std::pair(9, 5));
  CHECK(header.memory == 0);
  // All coefficients of the two blocks, 16 bits each.
  CHECK(jpeg_header(make_jpeg(9, 5, {70}, JCS_GRAYSCALE, [](auto& i) { jpeg_simple_progression(&i); })).memory ==
        2 * 64 * 2);
}

TEST_CASE("JPEG: truncated and damaged files are errors") {
  for (const bool progressive : {false, true}) {
    const std::string whole = make_jpeg(40, 30, {200, 100, 50}, JCS_RGB, [&](jpeg_compress_struct& info) {
      if (progressive) jpeg_simple_progression(&info);
    });
    for (std::size_t length = 3; length < whole.size(); length += 7) {
      INFO("progressive " << progressive << ", " << length << " of " << whole.size());
      CHECK_FALSE(error_of([&] { decode_image(whole.substr(0, length)); }).empty());
    }
    CHECK(error_of([&] { decode_image(whole.substr(0, whole.size() - 1)); }) == "the file is truncated");
  }
  // The picture ends early, but the file has its end.
  const std::string whole = make_jpeg(40, 30, {200, 100, 50}, JCS_RGB);
  constexpr std::size_t kScanHeader = 14, kSomeCodes = 6;
  const std::string cut = whole.substr(0, find_segment(whole, 0xDA) + kScanHeader + kSomeCodes) + "\xFF\xD9";
  CHECK(contains(error_of([&] { decode_image(cut); }), "cannot be decoded (Corrupt JPEG data: "));
  // A Huffman table that claims more codes than there can be.
  std::string table = make_jpeg(9, 5, {70}, JCS_GRAYSCALE);
  const std::size_t at = find_segment(table, 0xC4);
  for (std::size_t i = 0; i < 16; ++i) table[at + 5 + i] = '\xFF';
  CHECK(contains(error_of([&] { decode_image(table); }), "cannot be decoded (Bogus Huffman table"));
}

TEST_CASE("JPEG: what a small file asks for is bounded") {
  std::string bytes = make_jpeg(16, 16, {200, 100, 50}, JCS_RGB, [](auto& info) { jpeg_simple_progression(&info); });
  const std::size_t frame = find_segment(bytes, 0xC2);
  const std::string size("\x1F\xFF\x1F\xFF", 4);  // 8191 x 8191: below 64 megapixels, but not with all coefficients
  bytes.replace(frame + 5, 4, size);
  CHECK(contains(error_of([&] { decode_image(bytes); }),
                 "8191x8191 in " + std::to_string(bytes.size()) + " bytes: decoding would take "));
  // The same last scan again and again.
  std::string scans = make_jpeg(4096, 4096, {70}, JCS_GRAYSCALE, [](auto& info) { jpeg_simple_progression(&info); });
  const std::size_t last = scans.rfind("\xFF\xDA"), end = scans.size() - 2;
  const std::string scan = scans.substr(last, end - last);
  for (int i = 0; i < 62; ++i) scans.insert(end, scan);
  CHECK(error_of([&] { decode_image(scans); }) == "cannot be decoded (too many scans)");
  CHECK(
      error_of([&] { decode_image(scans + std::string(1 << 20, '\0')); }).empty());  // they may take time for each byte
}

TEST_CASE("JPEG: parts of baseline, progressive and CMYK pictures") {
  const TemporaryFolder folder;
  check_parts(folder.write("a.jpg", make_jpeg(37, 41, {70, 150, 20}, JCS_RGB)));
  check_parts(
      folder.write("a.jpg", make_jpeg(37, 41, {70, 150, 20}, JCS_RGB, [](auto& i) { jpeg_simple_progression(&i); })));
  check_parts(folder.write("a.jpg", make_jpeg(9, 5, {10, 20, 30, 40}, JCS_CMYK)));
}
