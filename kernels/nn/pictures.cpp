#include "kernels/nn/pictures.h"

#include <memory>

#include "kernels/base/parallel.h"

namespace diopter::cpu {

void pictures_to_input(const PictureArgs& args) {
  using Table = float[3][256];
  const std::unique_ptr<Table[]> tables(new Table[args.images]);
  for (int image = 0; image < args.images; ++image) {
    PixelTable::fill(args.pictures[image].colours, args.norm, tables[image]);
  }
  parallel_for(std::int64_t{args.images} * args.height, 16, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t line = begin; line < end; ++line) {
      const std::int64_t image = line / args.height;
      const PictureBytes& picture = args.pictures[image];
      const PixelTable normalised(picture.colours, args.norm, tables[image]);
      const int row = static_cast<int>(line % args.height);
      float* y = args.y + line * args.width * 3;
      for (int column = 0; column < args.width; ++column, y += 3) {
        input_pixel(args, picture, row, column, normalised, y);
      }
    }
  });
}

}  // namespace diopter::cpu
