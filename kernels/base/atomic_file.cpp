#include "kernels/base/atomic_file.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "kernels/base/check.h"

namespace diopter {

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
