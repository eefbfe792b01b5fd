#include "tests/docs/tree.h"

#include <algorithm>
#include <filesystem>

#include "generated/source_dir.h"
#include "tests/support/files.h"

namespace diopter::test {

namespace fs = std::filesystem;

namespace {

const fs::path kRoot = DIOPTER_SOURCE_DIR;

std::vector<std::string> find_files() {
  std::vector<std::string> files;
  const auto add = [&](const fs::path& path) { files.push_back(path.lexically_relative(kRoot).generic_string()); };
  for (const auto& entry : fs::directory_iterator(kRoot)) {
    if (entry.is_regular_file()) add(entry.path());
  }
  for (const char* folder :
       {".ci", ".github", "cmake", "data", "docs", "engine", "kernels", "retinanet", "tests", "tools"}) {
    if (!fs::exists(kRoot / folder)) continue;
    for (auto it = fs::recursive_directory_iterator(kRoot / folder); it != fs::recursive_directory_iterator(); ++it) {
      if (it->path().filename() == "__pycache__")
        it.disable_recursion_pending();
      else if (it->is_regular_file())
        add(it->path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

bool matches_at(const char* pattern, const char* text) {
  if (*pattern == '*')
    return matches_at(pattern + 1, text) || (*text != 0 && *text != '/' && matches_at(pattern, text + 1));
  if (*pattern != *text) return false;
  return *pattern == 0 || matches_at(pattern + 1, text + 1);
}

std::vector<std::string> find_folders() {
  std::vector<std::string> folders;
  for (const std::string& file : source_files()) {
    for (fs::path folder = fs::path(file).parent_path(); !folder.empty(); folder = folder.parent_path()) {
      folders.push_back(folder.generic_string());
    }
  }
  std::sort(folders.begin(), folders.end());
  folders.erase(std::unique(folders.begin(), folders.end()), folders.end());
  return folders;
}

}  // namespace

std::string source_text(const std::string& path) { return read_bytes((kRoot / path).string()); }

const std::vector<std::string>& source_files() {
  static const std::vector<std::string> files = find_files();
  return files;
}

std::vector<std::string> without_braces(const std::string& pattern) {
  const std::size_t open = pattern.find('{'), close = pattern.find('}', open);
  if (close == std::string::npos) return {pattern};
  std::vector<std::string> all;
  for (std::size_t begin = open + 1; begin <= close;) {
    const std::size_t end = std::min(close, pattern.find(',', begin));
    const std::string one = pattern.substr(0, open) + pattern.substr(begin, end - begin) + pattern.substr(close + 1);
    for (const std::string& path : without_braces(one)) all.push_back(path);
    begin = end + 1;
  }
  return all;
}

bool matches(const std::string& pattern, const std::string& text) { return matches_at(pattern.c_str(), text.c_str()); }

bool exists_in_tree(const std::string& path) {
  static const std::vector<std::string> folders = find_folders();
  const std::string wanted = path.ends_with('/') ? path.substr(0, path.size() - 1) : path;
  const auto is_wanted = [&](const std::string& p) { return matches(wanted, p) || matches(wanted + ".*", p); };
  return std::any_of(source_files().begin(), source_files().end(), is_wanted) ||
         std::any_of(folders.begin(), folders.end(), [&](const std::string& p) { return matches(wanted, p); });
}

bool ends_a_path(const std::string& pattern) {
  const auto slashes = std::count(pattern.begin(), pattern.end(), '/');
  return std::any_of(source_files().begin(), source_files().end(), [&](const std::string& path) {
    std::size_t begin = path.size();
    for (std::ptrdiff_t i = 0; i <= slashes && begin != std::string::npos; ++i) {
      begin = begin == 0 ? std::string::npos : path.rfind('/', begin - 1);
    }
    return matches(pattern, begin == std::string::npos ? path : path.substr(begin + 1));
  });
}

}  // namespace diopter::test
