#include "tools/evaluate/missing_labels.h"

#include <filesystem>

#include "data/pictures/draw.h"
#include "data/pictures/picture_reader.h"
#include "kernels/base/check.h"
#include "kernels/base/csv_text.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

constexpr const char* kTable = "missing_labels.csv";
constexpr std::size_t kMostCrops = 1000;

/// The box and what is around it; empty where the picture cannot be read or the box lies outside.
Image crop_of(const Dataset& truth, const MissingLabel& label) {
  try {
    PictureReader picture(truth.images[label.image].file, kFullRange);
    const Rect& r = label.rect;
    const Window window = window_around(r, picture.width(), picture.height());
    if (window.width == 0) return {};
    Image crop = picture.cut(window);
    draw_box(crop, Rect{r.x - window.x, r.y - window.y, r.w, r.h}.box(), "", class_colour(label.category));
    return crop;
  } catch (const Error&) {
    return {};
  }
}

}  // namespace

void check_missing_labels_folder(const std::string& folder) {
  const fs::path place(folder);
  std::error_code error;
  const bool foreign = fs::exists(place) && !fs::exists(place / kTable) && !fs::is_empty(place, error);
  DIOPTER_CHECK(!foreign, folder, ": holds other files already: choose a new folder for --missing-labels");
}

void write_missing_labels(const std::string& folder, const Dataset& truth, const std::vector<MissingLabel>& labels) {
  const fs::path place(folder);
  std::error_code error;
  fs::create_directories(place, error);
  DIOPTER_CHECK(!error, folder, ": cannot be made: ", error.message());
  CsvText csv({"picture", "class", "xmin", "ymin", "xmax", "ymax", "score", "crop"});
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const MissingLabel& label = labels[i];
    const Image crop = i < kMostCrops ? crop_of(truth, label) : Image();
    const std::string name = crop.width > 0 ? formatted("%04zu.jpg", i + 1) : "";
    if (!name.empty()) write_image((place / name).string(), crop);
    csv << truth.images[label.image].name << truth.categories[label.category].name << label.rect.x << label.rect.y
        << label.rect.x + label.rect.w << label.rect.y + label.rect.h << label.score << name;
    csv.end_line();
  }
  write_file_atomically((place / kTable).string(), csv.text());
}

}  // namespace diopter
