#include "data/pictures/white.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "data/pictures/picture_rows.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"

namespace diopter {

namespace {

/// The greatest sample of a picture of more than 8 bits; 0 of others.
int greatest_of(const std::string& file) {
  constexpr int kRows = 16;
  if (!is_deep_picture(file)) return 0;
  const std::unique_ptr<PictureRows> rows = open_rows(file);
  if (!rows) return read_image(file).greatest;
  std::vector<std::uint8_t> rgb(std::size_t{3} * kRows * static_cast<std::size_t>(rows->width()));
  for (int y = 0; y < rows->height(); y += kRows) rows->read(y, std::min(kRows, rows->height() - y), rgb.data());
  return rows->greatest();
}

}  // namespace

int full_scale(int greatest) {
  constexpr int kScales[] = {1023, 4095, 16383};
  for (const int scale : kScales) {
    if (greatest <= scale) return scale;
  }
  return 65535;
}

int full_scale_of(const Dataset& dataset) {
  constexpr std::int64_t kMost = 64;
  const auto count = static_cast<std::int64_t>(dataset.images.size()), looked_at = std::min(count, kMost);
  std::vector<int> greatest(static_cast<std::size_t>(looked_at));
  parallel_for(looked_at, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      const std::string& file = dataset.images[static_cast<std::size_t>(i * count / looked_at)].file;
      try {
        greatest[static_cast<std::size_t>(i)] = greatest_of(file);
      } catch (const OutOfResources&) {
        throw;
      } catch (const Error&) {  // named by whoever needs the picture
      }
    }
  });
  const int most = greatest.empty() ? 0 : *std::max_element(greatest.begin(), greatest.end());
  return most > 0 ? full_scale(most) : kFullRange;
}

}  // namespace diopter
