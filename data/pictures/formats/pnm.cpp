#include "data/pictures/formats/pnm.h"

#include <algorithm>
#include <charconv>

#include "kernels/base/check.h"

namespace diopter {
namespace {

constexpr int kMost = 65535;  // a sample can be
constexpr int kMostOf8 = 255;

struct PnmHeader {
  int channels, width, height, greatest;
  std::size_t end;  // the first byte of the samples
};

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

/// The next number of the header, behind blanks and comments; moves `at` behind it.
int next_number(std::string_view bytes, std::size_t& at, const char* what) {
  while (at < bytes.size() && (is_blank(bytes[at]) || bytes[at] == '#')) {
    at = bytes[at] == '#' ? std::min(bytes.find('\n', at), bytes.size()) : at + 1;
  }
  DIOPTER_CHECK(at < bytes.size(), "the file is truncated");
  int value = 0;
  const auto [end, error] = std::from_chars(bytes.data() + at, bytes.data() + bytes.size(), value);
  DIOPTER_CHECK(error == std::errc() && value >= 1, "cannot be decoded (its ", what, " is no positive number)");
  at = static_cast<std::size_t>(end - bytes.data());
  return value;
}

PnmHeader read_header(std::string_view bytes) {
  PnmHeader header{};
  header.channels = bytes[1] == '5' ? 1 : 3;
  std::size_t at = 2;
  header.width = next_number(bytes, at, "width");
  header.height = next_number(bytes, at, "height");
  header.greatest = next_number(bytes, at, "greatest value");
  DIOPTER_CHECK(header.greatest <= kMost, "cannot be decoded (its greatest value is above ", kMost, ")");
  DIOPTER_CHECK(at < bytes.size(), "the file is truncated");
  DIOPTER_CHECK(is_blank(bytes[at]), "cannot be decoded (no blank before its samples)");
  header.end = at + 1;
  return header;
}

}  // namespace

bool recognises_pnm(std::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6') &&
         (is_blank(bytes[2]) || bytes[2] == '#');
}

PictureHeader pnm_header(std::string_view bytes) {
  const PnmHeader header = read_header(bytes);
  return {header.width, header.height, 0, header.greatest > kMostOf8};
}

Image decode_pnm(std::string_view bytes, int white) {
  const PnmHeader header = read_header(bytes);
  const bool wide = header.greatest > kMostOf8;
  const std::size_t pixels = static_cast<std::size_t>(header.width) * header.height;
  const std::size_t samples = pixels * header.channels;
  DIOPTER_CHECK((bytes.size() - header.end) / (wide ? 2 : 1) >= samples, "the file is truncated");

  const std::uint8_t* in = unsigned_bytes(bytes) + header.end;
  if (wide && white == kFullRange && header.greatest == kMost) white = kMost;
  Image image{header.width, header.height, std::vector<std::uint8_t>(3 * pixels)};
  const auto sample = [&](std::size_t i) {
    const int value = wide ? in[2 * i] << 8 | in[2 * i + 1] : in[i];
    if (wide) image.greatest = std::max(image.greatest, value);
    if (wide && white != kFullRange) return eight_bits(value, white);
    const int within = std::min(value, header.greatest);
    return static_cast<std::uint8_t>((255 * within + header.greatest / 2) / header.greatest);
  };
  for (std::size_t i = 0; i < pixels; ++i) {
    for (int c = 0; c < 3; ++c) image.rgb[3 * i + c] = sample(header.channels == 1 ? i : 3 * i + c);
  }
  return image;
}

}  // namespace diopter
