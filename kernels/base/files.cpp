#include "kernels/base/files.h"

#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>

#include "kernels/base/check.h"

namespace diopter {

namespace {

[[noreturn]] void fail_to_read(const std::string& file, int error) {
  if (error == ENOENT) fail(file, ": no such file");
  if (error == EISDIR) fail(file, ": is a folder, not a file");
  fail(file, ": cannot be read: ", std::strerror(error));
}

}  // namespace

bool file_exists(const std::string& file) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(file, ignored);
}

bool folder_exists(const std::string& folder) {
  std::error_code ignored;
  return std::filesystem::is_directory(folder, ignored);
}

std::string extension_of(const std::string& file) {
  std::string extension = std::filesystem::path(file).extension().string();
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension;
}

std::string read_file(const std::string& file, std::size_t limit) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> in(std::fopen(file.c_str(), "rb"), std::fclose);
  if (!in) fail_to_read(file, errno);

  // One read takes a regular file and finds its end; pipes and files of /proc tell no size and take several.
  std::error_code no_size;
  const std::uintmax_t size = std::filesystem::file_size(file, no_size);
  const std::size_t step = std::max(no_size ? 0 : static_cast<std::size_t>(size) + 1, std::size_t{1} << 16);
  std::string bytes;
  for (bool at_end = false; !at_end && bytes.size() < limit;) {
    const std::size_t begin = bytes.size(), wanted = std::min(step, limit - begin);
    bytes.resize(begin + wanted);
    const std::size_t count = std::fread(bytes.data() + begin, 1, wanted, in.get());
    bytes.resize(begin + count);
    if (std::ferror(in.get())) fail_to_read(file, errno);
    at_end = count < wanted;
  }
  return bytes;
}

std::vector<std::string> read_lines(const std::string& file) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  const std::string content = read_file(file);
  std::string_view text = content;
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  std::vector<std::string> lines;
  lines.reserve(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1);
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    lines.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

void write_file_atomically(const std::string& file, const std::vector<std::string_view>& parts) {
  const std::string temporary = file + ".tmp" + std::to_string(getpid());
  std::FILE* out = std::fopen(temporary.c_str(), "wb");
  if (!out) fail(file, ": cannot write: ", std::strerror(errno));

  bool written = true;
  for (std::string_view part : parts) {
    // fwrite takes no null pointer, which an empty part may be.
    written = written && (part.empty() || std::fwrite(part.data(), 1, part.size(), out) == part.size());
  }
  written = written && std::fflush(out) == 0;
  int error = written ? 0 : errno;
  if (std::fclose(out) != 0 && error == 0) error = errno;
  if (error == 0 && std::rename(temporary.c_str(), file.c_str()) != 0) error = errno;
  if (error != 0) {
    std::remove(temporary.c_str());
    fail(file, ": cannot write: ", std::strerror(error));
  }
}

void write_file_atomically(const std::string& file, std::string_view bytes) {
  write_file_atomically(file, std::vector<std::string_view>{bytes});
}

}  // namespace diopter
