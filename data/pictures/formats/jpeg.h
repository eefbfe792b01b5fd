// JPEG through libjpeg-turbo: baseline and progressive, grey, RGB, YCbCr, CMYK and YCCK.
#pragma once

#include "data/pictures/formats/picture_format.h"

namespace diopter {

bool recognises_jpeg(std::string_view bytes);
PictureHeader jpeg_header(std::string_view bytes);
/// The values of libjpeg's exact integer transform with smoothly enlarged colours, as Pillow's and torchvision's.
/// Truncated and damaged data are an Error.
std::unique_ptr<PictureRows> jpeg_rows(const ByteSource& bytes, int white);
std::string jpeg_library();

}  // namespace diopter
