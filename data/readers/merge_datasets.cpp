#include "data/readers/merge_datasets.h"

#include <algorithm>
#include <iterator>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "data/readers/reading.h"

namespace diopter {

namespace {

/// Ids that are in use.
class UsedIds {
 public:
  /// The id, if nothing has it; otherwise the next behind the largest.
  std::int64_t take(std::int64_t id) {
    if (!used_.insert(id).second) used_.insert(id = largest_ + 1);
    largest_ = std::max(largest_, id);
    return id;
  }

  /// An id behind all others.
  std::int64_t take_next() { return take(largest_ + 1); }

 private:
  std::unordered_set<std::int64_t> used_;
  std::int64_t largest_ = 0;
};

class Merger {
 public:
  void add(Dataset&& part) {
    const std::vector<int> category_of = add_categories(part);
    std::unordered_map<std::int64_t, std::int64_t> id_of;
    for (ImageRecord& image : part.images) {
      const std::int64_t id = image.id;
      id_of[id] = add_image(std::move(image), category_of);
    }
    add_texts(part.image_text_ids, id_of, whole_.image_text_ids);
    append(part.warnings, whole_.warnings);
    append(part.findings, whole_.findings);
    if (!part.origin.empty()) whole_.origin += (whole_.origin.empty() ? "" : "; ") + part.origin;
  }

  Dataset finish() && {
    findings_.report(whole_);
    return std::move(whole_);
  }

 private:
  template <class T>
  static void append(std::vector<T>& from, std::vector<T>& to) {
    std::move(from.begin(), from.end(), std::back_inserter(to));
  }

  /// Returns the class in the whole of each class of the part.
  std::vector<int> add_categories(const Dataset& part) {
    const bool first = whole_.categories.empty();
    std::vector<int> category_of;
    std::unordered_map<std::int64_t, std::int64_t> id_of;
    for (const Category& category : part.categories) {
      const auto [entry, is_new] = category_of_name_.emplace(category.name, std::ssize(whole_.categories));
      // Classes stay in the order of their ids.
      if (is_new)
        whole_.categories.push_back(
            {first ? category_ids_.take(category.id) : category_ids_.take_next(), category.name});
      category_of.push_back(static_cast<int>(entry->second));
      id_of[category.id] = whole_.categories[static_cast<std::size_t>(entry->second)].id;
    }
    add_texts(part.category_text_ids, id_of, whole_.category_text_ids);
    return category_of;
  }

  static void add_texts(const TextIds& from, const std::unordered_map<std::int64_t, std::int64_t>& id_of, TextIds& to) {
    for (const auto& [text, id] : from) {
      if (const auto found = id_of.find(id); found != id_of.end()) to.emplace(text, found->second);
    }
  }

  /// Returns the picture's id in the whole.
  std::int64_t add_image(ImageRecord&& image, const std::vector<int>& category_of) {
    const auto [entry, is_new] = image_of_file_.emplace(image.file, whole_.images.size());
    std::vector<Annotation> annotations = std::move(image.annotations);
    if (is_new) {
      image.annotations.clear();
      const std::int64_t id = image_ids_.take(image.id);
      if (id != image.id) findings_.add(oddity::kImageIdAgain, image.name);
      image.id = id;
      whole_.images.push_back(std::move(image));
    } else {
      findings_.add(oddity::kSeveralFiles, image.name);
    }
    ImageRecord& record = whole_.images[entry->second];
    for (Annotation& annotation : annotations) {
      annotation.id = annotation_ids_.take(annotation.id);
      annotation.category = category_of[static_cast<std::size_t>(annotation.category)];
      record.annotations.push_back(annotation);
    }
    return record.id;
  }

  Dataset whole_;
  UsedIds category_ids_, image_ids_, annotation_ids_;
  std::unordered_map<std::string, std::ptrdiff_t> category_of_name_;
  std::unordered_map<std::string, std::size_t> image_of_file_;
  ReadLog findings_{"", false};
};

}  // namespace

Dataset merge_datasets(std::vector<Dataset> parts) {
  if (parts.size() == 1) return std::move(parts[0]);
  Merger merger;
  for (Dataset& part : parts) merger.add(std::move(part));
  return std::move(merger).finish();
}

}  // namespace diopter
