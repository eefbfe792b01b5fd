// BMP, GIF (first frame) and TGA through stb_image.
#pragma once

#include "data/pictures/picture_format.h"

namespace diopter {

bool recognises_bmp(std::string_view bytes);
bool recognises_gif(std::string_view bytes);
/// TGA files begin with no mark of their own: asked last.
bool recognises_tga(std::string_view bytes);
PictureHeader stb_header(std::string_view bytes);
Image decode_with_stb(std::string_view bytes, int white);

}  // namespace diopter
