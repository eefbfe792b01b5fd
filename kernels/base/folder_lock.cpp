#include "kernels/base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <thread>

#include "kernels/base/check.h"

namespace diopter {

FolderLock::FolderLock(const std::string& folder, const std::string& name, Children children, double patience_seconds,
                       Holders holders) {
  const std::string file = folder + "/" + name;
  file_ = open(file.c_str(), O_RDWR | O_CREAT | (children == Children::free ? O_CLOEXEC : 0), 0666);
  DIOPTER_CHECK(file_ >= 0, file, ": cannot write: ", std::strerror(errno));
  const auto start = std::chrono::steady_clock::now();
  const int kind = holders == Holders::alone ? LOCK_EX : LOCK_SH;
  while (flock(file_, kind | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      problem_ = std::strerror(errno);
      return;
    }
    if (std::chrono::steady_clock::now() - start > std::chrono::duration<double>(patience_seconds)) {
      close(file_);
      fail(folder, ": another process works on it");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
}

FolderLock::~FolderLock() { close(file_); }

}  // namespace diopter
