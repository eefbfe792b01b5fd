#include "data/dataset_hash.h"

#include <cstdint>
#include <filesystem>

#include "data/picture_stream.h"
#include "kernels/base/hash.h"

namespace diopter {

namespace {

/// Two texts in a row are told apart by their lengths.
void add_text(Fnv1a& hash, const std::string& text) {
  hash.add_number(std::uint64_t{text.size()});
  hash.add(text);
}

}  // namespace

std::string dataset_hash(const Dataset& dataset) {
  if (dataset.images.empty()) return "";
  Fnv1a hash;
  for (const Category& category : dataset.categories) {
    hash.add_number(category.id);
    add_text(hash, category.name);
  }
  for (const ImageRecord& image : dataset.images) {
    add_text(hash, std::filesystem::path(image.name).filename().string());  // a name may begin with where it lies
    hash.add_number(image.width);
    hash.add_number(image.height);
    hash.add_number(std::uint64_t{image.annotations.size()});
    for (const Annotation& a : image.annotations) {
      hash.add_number(a.category);
      for (const double number : {a.rect.x, a.rect.y, a.rect.w, a.rect.h, a.area}) hash.add_number(number);
      hash.add_number(a.crowd);
      hash.add_number(a.difficult);
    }
  }
  if (dataset.stream) add_text(hash, dataset.stream->text());
  return hash.text();
}

}  // namespace diopter
