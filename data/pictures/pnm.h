// PNM: binary PGM (P5) and PPM (P6) with any greatest value, 8 or 16 bits (netpbm's pgm(5) and ppm(5)).
#pragma once

#include "data/pictures/picture_format.h"

namespace diopter {

bool recognises_pnm(std::string_view bytes);
PictureHeader pnm_header(std::string_view bytes);
/// Values are scaled so that the greatest becomes 255. Those of 16 bits up to 65535 are cut to their upper 8 bits, as
/// those of PNG files are.
Image decode_pnm(std::string_view bytes);

}  // namespace diopter
