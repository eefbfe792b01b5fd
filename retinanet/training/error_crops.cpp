#include "retinanet/training/error_crops.h"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "data/pictures/draw.h"
#include "data/pictures/picture_reader.h"
#include "data/pictures/resample.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

constexpr int kLongestSide = 240;

/// The crop with the box, of a size to look at; of width 0 where the box lies outside.
Image drawn_crop(PictureReader& picture, const Mistake& mistake) {
  const Window window = window_around(mistake.rect, picture.width(), picture.height());
  if (window.width == 0) return {};
  Image image = picture.cut(window);
  const int longest = std::max(image.width, image.height);
  double scale = 1;
  if (longest > kLongestSide) {
    scale = static_cast<double>(kLongestSide) / longest;
    const auto side = [scale](int length) { return std::max(1, static_cast<int>(std::lround(length * scale))); };
    image = resample(image, side(image.width), side(image.height));
  } else {
    scale = enlarge(image, kLongestSide / longest * std::min(image.width, image.height));
  }
  const Rect& r = mistake.rect;
  const Rect within{(r.x - window.x) * scale, (r.y - window.y) * scale, r.w * scale, r.h * scale};
  draw_box(image, within.box(), "", class_colour(mistake.category));
  return image;
}

}  // namespace

std::string errors_folder(const std::string& folder) { return folder + "/errors"; }

std::vector<RunEvaluation::Error> write_error_crops(const std::string& folder, const Dataset& truth,
                                                    const WorstErrors& errors, int white) {
  const fs::path place(errors_folder(folder));
  std::error_code error;
  fs::create_directories(place, error);
  DIOPTER_CHECK(!error, place.string(), ": cannot be made: ", error.message());
  std::vector<RunEvaluation::Error> written;
  for (const auto& [kind, mistakes] : {std::pair{"false", &errors.false_positives}, {"missed", &errors.missed}}) {
    for (std::size_t i = 0; i < kErrorCrops; ++i) {
      const std::string name = kind + formatted("_%02zu.jpg", i + 1);
      fs::remove(place / name, error);
      if (i >= mistakes->size()) continue;
      const Mistake& mistake = (*mistakes)[i];
      const ImageRecord& record = truth.images[mistake.image];
      Image crop;
      try {
        PictureReader picture(record.file, white);
        crop = drawn_crop(picture, mistake);
      } catch (const Error&) {  // it was read a moment ago; the report does without
        continue;
      }
      if (crop.width == 0) continue;
      write_image((place / name).string(), crop);
      written.push_back({name, record.name, truth.categories[mistake.category].name, mistake.score});
    }
  }
  return written;
}

}  // namespace diopter
