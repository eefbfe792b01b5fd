#include "data/pictures/formats/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "kernels/base/check.h"
#include "kernels/base/files.h"

namespace diopter {

ByteSource::ByteSource(const std::string& file) : size_(0), file_(-1) {
  std::error_code error;
  const auto status = std::filesystem::status(file, error);
  // A pipe could be read only once, and opening it would wait for its writer.
  DIOPTER_CHECK(!std::filesystem::exists(status) || std::filesystem::is_regular_file(status), file, ": not a file");
  file_ = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (file_ < 0) fail_to_read(file, errno);
  size_ = lseek(file_, 0, SEEK_END);
  if (size_ > 0) return;
  close(file_);
  fail(file, ": the file is empty");
}

ByteSource::~ByteSource() {
  if (file_ >= 0) close(file_);
}

std::size_t ByteSource::read(std::int64_t offset, void* target, std::size_t count) const noexcept {
  if (offset < 0 || offset >= size_) return 0;
  count = std::min(count, static_cast<std::size_t>(size_ - offset));
  if (file_ < 0) {
    std::memcpy(target, bytes_.data() + offset, count);
    return count;
  }
  std::size_t done = 0;
  while (done < count) {
    const ssize_t got = pread(file_, static_cast<char*>(target) + done, count - done,
                              static_cast<off_t>(offset + static_cast<std::int64_t>(done)));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) error_ = errno;
    if (got <= 0) break;
    done += static_cast<std::size_t>(got);
  }
  return done;
}

std::string ByteSource::first(std::int64_t count) const {
  std::string bytes(static_cast<std::size_t>(std::min(count, size_)), '\0');
  bytes.resize(read(0, bytes.data(), bytes.size()));
  return bytes;
}

}  // namespace diopter
