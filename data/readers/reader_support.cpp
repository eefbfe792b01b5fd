#include "data/readers/reader_support.h"

#include <algorithm>
#include <filesystem>
#include <numeric>

#include "data/pictures/image.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "kernels/base/utf8.h"

namespace diopter {

namespace fs = std::filesystem;

namespace {

constexpr int kDeepest = 16;  // folders in folders; links that lead back end there

/// Paths relative to the folder, sorted. `look` sees each entry before the next one is asked for.
template <class Iterator, class Look>
std::vector<std::string> files_of(const std::string& folder, bool (*wanted)(const std::string&),
                                  fs::directory_options options, const Look& look) {
  std::error_code error;
  DIOPTER_CHECK(fs::exists(folder, error), folder, ": no such folder");
  DIOPTER_CHECK(fs::is_directory(folder, error), folder, ": not a folder");
  std::vector<std::string> files;
  Iterator entry(folder, options, error);
  for (; !error && entry != Iterator(); entry.increment(error)) {
    look(entry);
    if (wanted(entry->path()) && !entry->is_directory(error))
      files.push_back(entry->path().lexically_relative(folder).string());
  }
  DIOPTER_CHECK(!error, folder, ": cannot be read: ", error.message());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

void check_class_name(const std::string& name, const std::string& place) {
  DIOPTER_CHECK(!name.empty(), place, ": the class has no name");
  DIOPTER_CHECK(is_utf8(name), place, ": the name of the class is not UTF-8 text; save the file as UTF-8");
}

bool is_xml(const std::string& file) { return extension_of(file) == ".xml"; }
bool is_text(const std::string& file) { return extension_of(file) == ".txt"; }

std::vector<std::string> list_files(const std::string& folder, bool (*wanted)(const std::string&)) {
  return files_of<fs::directory_iterator>(folder, wanted, fs::directory_options::none, [](auto&) {});
}

std::vector<std::string> files_below(const std::string& folder, bool (*wanted)(const std::string&)) {
  return files_of<fs::recursive_directory_iterator>(folder, wanted, fs::directory_options::follow_directory_symlink,
                                                    [](auto& entry) {
                                                      if (entry.depth() > kDeepest) entry.disable_recursion_pending();
                                                    });
}

void refuse_split(const std::string& annotations, const ReadOptions& options) {
  DIOPTER_CHECK(!options.split_asked, annotations, ": holds one set, not several: --split has nothing to choose from");
}

bool is_outside(const Rect& rect, const ImageRecord& record) {
  return record.width > 0 && record.height > 0 &&
         (rect.x >= record.width || rect.y >= record.height || rect.x + rect.w <= 0 || rect.y + rect.h <= 0);
}

void take_shares_times_size(Dataset& dataset, ReadLog& findings) {
  bool any = false;
  for (const ImageRecord& image : dataset.images) {
    for (const Annotation& a : image.annotations) {
      if (!(a.rect.x >= 0 && a.rect.y >= 0 && a.rect.x + a.rect.w <= 1 && a.rect.y + a.rect.h <= 1)) return;
      any = any || a.rect.w < 1 || a.rect.h < 1;
    }
  }
  if (!any) return;
  for (ImageRecord& image : dataset.images) {
    if (image.annotations.empty()) continue;
    if (image.width <= 0 || image.height <= 0) {
      try {
        read_image_size(image.file, image.width, image.height);
      } catch (const Error&) {
        for (std::size_t i = 0; i < image.annotations.size(); ++i) findings.add(oddity::kNoSize, image.name);
        image.annotations.clear();
      }
    }
    for (Annotation& a : image.annotations) {
      findings.add(oddity::kRelative, image.name);
      a.rect = {a.rect.x * image.width, a.rect.y * image.height, a.rect.w * image.width, a.rect.h * image.height};
      a.area = a.rect.w * a.rect.h;
    }
  }
}

void drop_boxes_outside(Dataset& dataset, ReadLog& findings) {
  for (ImageRecord& image : dataset.images) {
    std::erase_if(image.annotations, [&](const Annotation& a) {
      if (!is_outside(a.rect, image)) return false;
      findings.add(oddity::kOutside, image.name);
      return true;
    });
  }
}

ClassNumbers::ClassNumbers(const std::vector<std::string>& given) : fixed_(!given.empty()), names_(given) {
  for (std::size_t i = 0; i < names_.size(); ++i) numbers_.emplace(names_[i], static_cast<int>(i));
}

int ClassNumbers::number(const std::string& name, const std::string& place) {
  check_class_name(name, place);
  const auto [found, is_new] = numbers_.emplace(name, static_cast<int>(names_.size()));
  if (!is_new) return found->second;
  DIOPTER_CHECK(!fixed_, place, ": class '", name, "' is not one of ", quoted_list(names_));
  names_.push_back(name);
  return found->second;
}

void ClassNumbers::finish(Dataset& dataset) const {
  std::vector<int> order(names_.size());
  std::iota(order.begin(), order.end(), 0);
  if (!fixed_) std::sort(order.begin(), order.end(), [&](int a, int b) { return names_[a] < names_[b]; });

  std::vector<int> final_number(names_.size());
  dataset.categories.clear();
  for (std::size_t i = 0; i < order.size(); ++i) {
    final_number[order[i]] = static_cast<int>(i);
    dataset.categories.push_back({static_cast<std::int64_t>(i) + 1, names_[order[i]]});
  }
  for (ImageRecord& image : dataset.images) {
    for (Annotation& annotation : image.annotations) annotation.category = final_number[annotation.category];
  }
}

}  // namespace diopter
