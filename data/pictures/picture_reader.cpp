#include "data/pictures/picture_reader.h"

#include <algorithm>
#include <utility>

#include "kernels/base/check.h"

namespace diopter {

PictureReader::PictureReader(std::string file, int white)
    : file_(std::move(file)), white_(white), rows_(open_rows(file_, white)) {
  if (!rows_) kept_ = read_image(file_, white_);
}

Image PictureReader::cut(const Window& window) {
  DIOPTER_CHECK(window.x >= 0 && window.y >= 0 && window.width > 0 && window.height > 0 &&
                    window.width <= width() - window.x && window.height <= height() - window.y,
                file_, ": has changed while it was being read");
  if (rows_) keep_rows(window.y, window.y + window.height);
  return diopter::cut(kept_, {window.x, window.y - begin_, window.width, window.height});
}

void PictureReader::keep_rows(int begin, int end) {
  if (begin < begin_) {
    rows_ = open_rows(file_, white_);
    DIOPTER_CHECK(rows_ && rows_->width() == kept_.width, file_, ": has changed while it was being read");
    kept_.height = 0;
    begin_ = 0;
  }
  const int read = begin_ + kept_.height;
  if (kept_.height > 0 && end <= read) return;
  const auto stride = std::ptrdiff_t{3} * width();
  const int again = std::max(0, read - begin);
  kept_.rgb.erase(kept_.rgb.begin(), kept_.rgb.begin() + stride * (kept_.height - again));
  kept_ = {width(), again, std::move(kept_.rgb)};
  begin_ = begin;
  kept_.rgb.reserve(static_cast<std::size_t>(stride * (end - begin)));
  kept_.rgb.resize(static_cast<std::size_t>(stride * (end - begin)));
  rows_->read(begin + again, end - begin - again, kept_.rgb.data() + stride * again);
  kept_.height = end - begin;
}

}  // namespace diopter
