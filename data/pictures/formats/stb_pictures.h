// BMP, GIF (first frame) and TGA through stb_image.
#pragma once

#include "data/pictures/formats/picture_format.h"

namespace diopter {

bool recognises_bmp(std::string_view bytes);
bool recognises_gif(std::string_view bytes);
/// Whether a GIF file has more than one frame.
bool has_further_frames(std::string_view gif);
/// TGA files begin with no mark of their own: asked last.
bool recognises_tga(std::string_view bytes);
PictureHeader stb_header(std::string_view bytes);
Image decode_with_stb(std::string_view bytes, int white);

}  // namespace diopter
