// PNM: binary PGM (P5) and PPM (P6) with any greatest value, 8 or 16 bits (netpbm's pgm(5) and ppm(5)).
#pragma once

#include "data/pictures/formats/picture_format.h"

namespace diopter {

bool recognises_pnm(std::string_view bytes);
PictureHeader pnm_header(std::string_view bytes);
/// With kFullRange the file's greatest value becomes 255, rounded to nearest; 65535 leaves the upper 8 bits, as of PNG
/// files. Another `white` counts where values have 16 bits.
std::unique_ptr<PictureRows> pnm_rows(const ByteSource& bytes, int white);

}  // namespace diopter
