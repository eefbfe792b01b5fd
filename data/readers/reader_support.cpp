#include "data/readers/reader_support.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numbers>
#include <numeric>

#include "data/pictures/image.h"
#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
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
bool is_json(const std::string& file) { return extension_of(file) == ".json"; }

bool begins_with(const std::string& file, char first, const std::vector<std::string_view>& words) {
  constexpr std::size_t kHead = std::size_t{1} << 16;
  const std::string head = read_file(file, kHead);
  const std::size_t begin = head.find_first_not_of("\xEF\xBB\xBF \t\r\n");
  return begin != std::string::npos && head[begin] == first &&
         std::any_of(words.begin(), words.end(),
                     [&](std::string_view word) { return head.find(word) != std::string::npos; });
}

nlohmann::json read_json(const std::string& file) {
  try {
    return parse_json(read_file(file));
  } catch (const nlohmann::json::exception& error) {
    fail(file, ": ", json_problem(error.what()));
  }
}

std::optional<double> number_in(const nlohmann::json& object, const char* member) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(member);
  if (found == object.end()) return std::nullopt;
  if (found->is_string()) return parse_number(found->get_ref<const std::string&>());
  return found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
}

std::optional<std::string> text_in(const nlohmann::json& object, const char* member) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(member);
  return found != object.end() && found->is_string() ? std::optional(found->get<std::string>()) : std::nullopt;
}

int size_from(std::optional<double> number) {
  constexpr double kLargest = 1 << 24;
  return number && *number > 0 && *number <= kLargest && *number == std::floor(*number) ? static_cast<int>(*number) : 0;
}

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

std::optional<Rect> box_of_polygon(const std::vector<double>& corners) {
  if (corners.size() < 6 || corners.size() % 2 != 0) return std::nullopt;
  double low[2] = {corners[0], corners[1]}, high[2] = {corners[0], corners[1]};
  for (std::size_t i = 2; i < corners.size(); ++i) {
    low[i % 2] = std::min(low[i % 2], corners[i]);
    high[i % 2] = std::max(high[i % 2], corners[i]);
  }
  return Rect{low[0], low[1], high[0] - low[0], high[1] - low[1]};
}

Rect box_of_turned(const Rect& rect, double degrees, double x, double y) {
  if (degrees == 0) return rect;
  const double angle = degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
  std::vector<double> corners;
  for (const double right : {0.0, rect.w}) {
    for (const double down : {0.0, rect.h}) {
      const double dx = rect.x + right - x, dy = rect.y + down - y;
      corners.insert(corners.end(), {x + c * dx - s * dy, y + s * dx + c * dy});
    }
  }
  return *box_of_polygon(corners);
}

Rect box_of_ellipse(double x, double y, double horizontal_radius, double vertical_radius, double degrees) {
  const double angle = degrees * std::numbers::pi / 180, c = std::cos(angle), s = std::sin(angle);
  const double half_width = std::hypot(horizontal_radius * c, vertical_radius * s),
               half_height = std::hypot(horizontal_radius * s, vertical_radius * c);
  return {x - half_width, y - half_height, 2 * half_width, 2 * half_height};
}

bool is_usable(const Rect& rect, const ImageRecord& record, const std::string& place, ReadLog& findings) {
  const bool finite = std::isfinite(rect.x) && std::isfinite(rect.y) && std::isfinite(rect.w) && std::isfinite(rect.h);
  const Oddity* odd = !finite                       ? &oddity::kNoNumber
                      : !(rect.w > 0 && rect.h > 0) ? &oddity::kEmptyBox
                      : is_outside(rect, record)    ? &oddity::kOutside
                                                    : nullptr;
  if (odd) findings.add(*odd, place);
  return !odd;
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
