#include "data/readers/same_pictures.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <unordered_set>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

namespace fs = std::filesystem;

std::string canonical(const std::string& file) {
  std::error_code error;
  const fs::path path = fs::weakly_canonical(file, error);
  return error ? file : path.string();
}

/// Files by their size, which is cheap to ask for: only files of equal size are read.
std::multimap<std::uintmax_t, std::string> by_size(const Dataset& dataset) {
  std::multimap<std::uintmax_t, std::string> files;
  for (const ImageRecord& image : dataset.images) {
    std::error_code error;
    const std::uintmax_t size = fs::file_size(image.file, error);
    if (!error && size > 0) files.emplace(size, image.file);
  }
  return files;
}

bool same_bytes(const std::string& a, const std::string& b) {
  try {
    return read_file(a) == read_file(b);
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

std::vector<std::size_t> shared_pictures(const Dataset& first, const Dataset& second) {
  std::unordered_set<std::string> files;
  for (const ImageRecord& image : first.images) files.insert(canonical(image.file));
  const std::multimap<std::uintmax_t, std::string> sizes = by_size(first);
  std::vector<std::size_t> shared;
  for (std::size_t i = 0; i < second.images.size(); ++i) {
    const std::string& file = second.images[i].file;
    bool found = files.contains(canonical(file));
    std::error_code error;
    const auto [begin, end] = sizes.equal_range(fs::file_size(file, error));
    for (auto other = begin; !found && !error && other != end; ++other) found = same_bytes(other->second, file);
    if (found) shared.push_back(i);
  }
  return shared;
}

std::string check_validation_set(const Dataset& training, const Dataset& validation) {
  const std::vector<std::size_t> shared = shared_pictures(training, validation);
  if (shared.empty()) return "";
  DIOPTER_CHECK(shared.size() < validation.images.size() || training.images.size() != validation.images.size(),
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
