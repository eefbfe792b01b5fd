#include "data/pictures/picture_rows.h"

#include "kernels/base/check.h"

namespace diopter {

void PictureRows::read(int y, int count, std::uint8_t* rgb) {
  DIOPTER_CHECK(y >= next_ && count >= 0 && count <= height_ - y, "rows ", y, " to ", y + count, " of ", height_,
                " are not to be had behind row ", next_);
  try {
    decode(y, count, rgb);
  } catch (...) {
    next_ = height_ + 1;  // a decoder that has failed gives nothing more
    throw;
  }
  next_ = y + count;
}

}  // namespace diopter
