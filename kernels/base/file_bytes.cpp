#include "kernels/base/file_bytes.h"

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "kernels/base/check.h"

namespace diopter {

std::string file_bytes(const std::string& file, std::size_t limit) {
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(file, error);
  std::ifstream in(file, std::ios::binary);
  DIOPTER_CHECK(in && !error, file, ": cannot be opened");
  std::string bytes(static_cast<std::size_t>(std::min<std::uintmax_t>(size, limit)), '\0');
  in.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  DIOPTER_CHECK(in, file, ": cannot be read beyond offset ", in.gcount());
  return bytes;
}

}  // namespace diopter
