#include "data/pictures/formats/pnm.h"

#include <algorithm>
#include <charconv>
#include <iterator>
#include <memory>
#include <vector>

#include "kernels/base/check.h"

namespace diopter {
namespace {

constexpr int kMostSample = 65535;  // a sample can be
constexpr int kMostOf8 = 255;

struct PnmHeader {
  int channels, width, height, greatest;
  std::size_t end;  // the first byte of the samples

  int sample_bytes() const { return greatest > kMostOf8 ? 2 : 1; }
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
  DIOPTER_CHECK(header.greatest <= kMostSample, "cannot be decoded (its greatest value is above ", kMostSample, ")");
  DIOPTER_CHECK(at < bytes.size(), "the file is truncated");
  DIOPTER_CHECK(is_blank(bytes[at]), "cannot be decoded (no blank before its samples)");
  header.end = at + 1;
  return header;
}

class PnmRows final : public PictureRows {
 public:
  PnmRows(const ByteSource& bytes, const PnmHeader& header, int white)
      : PictureRows(header.width, header.height), bytes_(bytes), header_(header), white_(white) {
    if (header.sample_bytes() == 2 && white == kFullRange && header.greatest == kMostSample) white_ = kMostSample;
    row_.resize(static_cast<std::size_t>(header.width) * header.channels * header.sample_bytes());
  }

 private:
  void decode(int y, int count, std::uint8_t* rgb) override {
    const auto stride = std::ssize(row_);
    for (int row = y; row < y + count; ++row) {
      const std::int64_t at = static_cast<std::int64_t>(header_.end) + stride * row;
      DIOPTER_CHECK(bytes_.read(at, row_.data(), row_.size()) == row_.size(), "the file is truncated");
      for (int x = 0; x < width(); ++x, rgb += 3) {
        for (int c = 0; c < 3; ++c) rgb[c] = sample(header_.channels == 1 ? x : 3 * x + c);
      }
    }
  }

  std::uint8_t sample(int i) {
    const bool wide = header_.sample_bytes() == 2;
    const std::uint8_t* in = row_.data() + std::ptrdiff_t{header_.sample_bytes()} * i;
    const int value = wide ? in[0] << 8 | in[1] : in[0];
    if (wide) greatest_ = std::max(greatest_, value);
    if (wide && white_ != kFullRange) return eight_bits(value, white_);
    const int within = std::min(value, header_.greatest);
    return static_cast<std::uint8_t>((255 * within + header_.greatest / 2) / header_.greatest);
  }

  const ByteSource& bytes_;
  PnmHeader header_;
  int white_;
  std::vector<std::uint8_t> row_;
};

}  // namespace

bool recognises_pnm(std::string_view bytes) {
  return bytes.size() > 2 && bytes[0] == 'P' && (bytes[1] == '5' || bytes[1] == '6') &&
         (is_blank(bytes[2]) || bytes[2] == '#');
}

PictureHeader pnm_header(std::string_view bytes) {
  const PnmHeader header = read_header(bytes);
  return {header.width, header.height, 0, header.greatest > kMostOf8, true};
}

std::unique_ptr<PictureRows> pnm_rows(const ByteSource& bytes, int white) {
  const PnmHeader header = of_first_bytes(bytes, read_header);
  const std::int64_t samples = std::int64_t{header.width} * header.height * header.channels;
  DIOPTER_CHECK((bytes.size() - static_cast<std::int64_t>(header.end)) / header.sample_bytes() >= samples,
                "the file is truncated");
  return std::make_unique<PnmRows>(bytes, header, white);
}

}  // namespace diopter
