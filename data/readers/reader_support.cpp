#include "data/readers/reader_support.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <fstream>
#include <iterator>
#include <numeric>

#include "kernels/base/utf8.h"
#include "kernels/base/check.h"

namespace diopter {

namespace fs = std::filesystem;

std::string read_text(const fs::path& file) {
  std::error_code ignored;
  DIOPTER_CHECK(!folder_exists(file), file.string(), ": is a folder, not a file");
  DIOPTER_CHECK(fs::exists(file, ignored), file.string(), ": no such file");
  std::ifstream in(file, std::ios::binary);
  std::string text((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  DIOPTER_CHECK(in, file.string(), ": cannot be read");
  return text;
}

std::vector<std::string> read_lines(const fs::path& file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  const std::string content = read_text(file);
  std::string_view text = content;
  if (text.substr(0, kByteOrderMark.size()) == kByteOrderMark) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

void check_class_name(const std::string& name, const std::string& place) {
  DIOPTER_CHECK(!name.empty(), place, ": the class has no name");
  DIOPTER_CHECK(is_utf8(name), place, ": the name of the class is not UTF-8 text; save the file as UTF-8");
}

std::string extension_of(const fs::path& file) {
  std::string extension = file.extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

bool is_picture(const fs::path& file) {
  static constexpr std::string_view kExtensions[] = {".jpg", ".jpeg", ".png", ".bmp", ".gif",
                                                     ".ppm", ".pgm",  ".pnm", ".tga"};
  return std::find(std::begin(kExtensions), std::end(kExtensions), extension_of(file)) != std::end(kExtensions);
}

bool is_xml(const fs::path& file) { return extension_of(file) == ".xml"; }
bool is_text(const fs::path& file) { return extension_of(file) == ".txt"; }

bool file_exists(const fs::path& file) {
  std::error_code ignored;
  return fs::is_regular_file(file, ignored);
}

bool folder_exists(const fs::path& folder) {
  std::error_code ignored;
  return fs::is_directory(folder, ignored);
}

std::vector<std::string> list_files(const fs::path& folder, bool (*wanted)(const fs::path&)) {
  std::error_code error;
  DIOPTER_CHECK(fs::exists(folder, error), folder.string(), ": no such folder");
  DIOPTER_CHECK(fs::is_directory(folder, error), folder.string(), ": not a folder");
  std::vector<std::string> names;
  fs::directory_iterator entry(folder, error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    if (wanted(entry->path()) && !entry->is_directory(error)) names.push_back(entry->path().filename().string());
  }
  DIOPTER_CHECK(!error, folder.string(), ": cannot be read: ", error.message());
  std::sort(names.begin(), names.end());
  return names;
}

std::string quoted_list(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kShown); ++i) text += (i ? ", '" : "'") + names[i] + "'";
  return names.size() > kShown ? text + ", ..." : text;
}

ClassNumbers::ClassNumbers(const std::vector<std::string>& given) : fixed_(!given.empty()), names_(given) {}

int ClassNumbers::number(const std::string& name, const std::string& place) {
  check_class_name(name, place);
  const auto found = std::find(names_.begin(), names_.end(), name);
  if (found != names_.end()) return static_cast<int>(found - names_.begin());
  DIOPTER_CHECK(!fixed_, place, ": class '", name, "' is not one of ", quoted_list(names_));
  names_.push_back(name);
  return static_cast<int>(names_.size()) - 1;
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
