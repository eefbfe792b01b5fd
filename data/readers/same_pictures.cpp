#include "data/readers/same_pictures.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <unordered_set>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/hash.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

std::string canonical(const std::string& file) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(file, error);
  return error ? file : path.string();
}

/// Size of the file; nothing for an empty one, and where it cannot be told.
std::optional<std::uintmax_t> size_of(const std::string& file) {
  std::error_code error;
  const std::uintmax_t size = fs::file_size(file, error);
  return error || size == 0 ? std::nullopt : std::optional(size);
}

/// Hash of the file's bytes; "" where it cannot be read.
std::string content_hash(const std::string& file) {
  try {
    Fnv1a hash;
    hash.add(read_file(file));
    return hash.text();
  } catch (const Error&) {
    return "";
  }
}

/// The files of a set, sorted.
std::vector<std::string> files_of(const Dataset& dataset) {
  std::vector<std::string> files;
  for (const ImageRecord& image : dataset.images) files.push_back(canonical(image.file));
  std::sort(files.begin(), files.end());
  return files;
}

/// Class and box of all annotations of a set, sorted.
std::vector<std::array<double, 5>> objects_of(const Dataset& dataset) {
  std::vector<std::array<double, 5>> objects;
  for (const ImageRecord& image : dataset.images) {
    for (const Annotation& a : image.annotations)
      objects.push_back({static_cast<double>(a.category), a.rect.x, a.rect.y, a.rect.w, a.rect.h});
  }
  std::sort(objects.begin(), objects.end());
  return objects;
}

}  // namespace

std::vector<std::size_t> shared_pictures(const Dataset& first, const Dataset& second) {
  // Only files of a size that both sets have are read, each once.
  std::unordered_set<std::uintmax_t> sizes;
  for (const ImageRecord& image : second.images) {
    if (const auto size = size_of(image.file)) sizes.insert(*size);
  }
  std::unordered_set<std::string> files, contents;
  std::unordered_set<std::uintmax_t> sizes_of_both;
  for (const ImageRecord& image : first.images) {
    files.insert(canonical(image.file));
    const auto size = size_of(image.file);
    if (!size || !sizes.contains(*size)) continue;
    sizes_of_both.insert(*size);
    contents.insert(content_hash(image.file));
  }
  std::vector<std::size_t> shared;
  for (std::size_t i = 0; i < second.images.size(); ++i) {
    const std::string& file = second.images[i].file;
    bool found = files.contains(canonical(file));
    if (const auto size = size_of(file); !found && size && sizes_of_both.contains(*size)) {
      const std::string hash = content_hash(file);
      found = !hash.empty() && contents.contains(hash);
    }
    if (found) shared.push_back(i);
  }
  return shared;
}

std::string check_validation_set(const Dataset& training, const Dataset& validation) {
  const std::vector<std::size_t> shared = shared_pictures(training, validation);
  if (shared.empty()) return "";
  const bool all = shared.size() == validation.images.size() && training.images.size() == validation.images.size();
  DIOPTER_CHECK(!all || (files_of(training) != files_of(validation) && objects_of(training) != objects_of(validation)),
                "the validation set has the pictures of the training set: its precision would say nothing; leave "
                "--val-annotations out or name other pictures");
  std::vector<std::string> names;
  for (const std::size_t i : shared) names.push_back(validation.images[i].name);
  return std::to_string(shared.size()) + " of the " + std::to_string(validation.images.size()) +
         " validation pictures are training pictures, too: " + quoted_list(names);
}

void check_training_set(const std::string& annotations, const Dataset& training) {
  const bool any = std::any_of(training.images.begin(), training.images.end(), [](const ImageRecord& image) {
    return std::any_of(image.annotations.begin(), image.annotations.end(),
                       [](const Annotation& a) { return !a.crowd && !a.difficult && a.rect.w > 0 && a.rect.h > 0; });
  });
  DIOPTER_CHECK(any, annotations, ": there is no object to learn from");
}

}  // namespace diopter
