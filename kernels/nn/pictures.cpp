#include "kernels/nn/pictures.h"

#include <array>

#include "kernels/base/parallel.h"

namespace diopter::cpu {

void pictures_to_input(const PictureArgs& args) {
  std::array<std::array<float, 256>, 3> table;  // 256 values per channel are all there is
  for (int c = 0; c < 3; ++c) {
    for (int v = 0; v < 256; ++v) table[c][v] = args.norm(static_cast<float>(v), c);
  }
  parallel_for(std::int64_t{args.images} * args.height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const PictureBytes& picture = args.pictures[line / args.height];
      const int row = static_cast<int>(line % args.height);
      float* y = args.y + line * args.width * 3;
      for (int column = 0; column < args.width; ++column, y += 3) {
        input_pixel(
            args, picture, row, column, [&](std::uint8_t v, int c) { return table[c][v]; }, y);
      }
    }
  });
}

}  // namespace diopter::cpu
