// System calls that fail on demand, to be loaded before the C library (LD_PRELOAD): a full disk, a disk that breaks, a
// system without descriptors, at a moment of one's choice.
//
//   DIOPTER_FAIL=write:17:28      the 17th write fails with error number 28 (ENOSPC); write:17+:28: and all after it
//   DIOPTER_FAIL_UNDER=FOLDER     calls that concern files below the folder are counted, others are left alone
//   DIOPTER_FAIL_MARK=FILE        is made when a call fails
//
// Calls are open, write, fsync and rename.
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

namespace {

struct Fault {
  std::string call, under;
  const char* mark = std::getenv("DIOPTER_FAIL_MARK");
  long number = 0;
  bool and_all_after = false;
  int error = 0;
  std::atomic<long> count{0};

  Fault() {
    const char *text = std::getenv("DIOPTER_FAIL"), *folder = std::getenv("DIOPTER_FAIL_UNDER");
    if (!text || !folder) return;
    char name[16] = "", sign[2] = "";
    if (std::sscanf(text, "%15[a-z]:%ld%1[+]:%d", name, &number, sign, &error) == 4) {
      and_all_after = true;
    } else if (std::sscanf(text, "%15[a-z]:%ld:%d", name, &number, &error) != 3) {
      return;
    }
    call = name;
    under = folder;
  }
};

Fault& fault() {
  static Fault it;
  return it;
}

std::string path_of(int file) {
  char path[4096];
  const ssize_t size = readlink(("/proc/self/fd/" + std::to_string(file)).c_str(), path, sizeof path);
  return size > 0 ? std::string(path, static_cast<std::size_t>(size)) : std::string();
}

std::string path_of(int folder, const char* name) {
  return name[0] == '/' || folder == AT_FDCWD ? std::string(name) : path_of(folder) + "/" + name;
}

/// Whether this call is to fail; errno says why.
bool fails(const char* call, const std::string& path) {
  Fault& f = fault();
  if (f.call != call || path.compare(0, f.under.size(), f.under) != 0) return false;
  const long number = ++f.count;
  if (number != f.number && !(f.and_all_after && number > f.number)) return false;
  if (f.mark) syscall(SYS_close, syscall(SYS_openat, AT_FDCWD, f.mark, O_WRONLY | O_CREAT, 0666));
  errno = f.error;
  return true;
}

int open_at(int folder, const char* path, int flags, unsigned mode) {
  if (fails("open", path_of(folder, path))) return -1;
  return static_cast<int>(syscall(SYS_openat, folder, path, flags, mode));
}

unsigned mode_of(int flags, va_list arguments) {
  return (flags & (O_CREAT | O_TMPFILE)) != 0 ? va_arg(arguments, unsigned) : 0;
}

}  // namespace

extern "C" {

int open(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int open64(const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

int openat64(int folder, const char* path, int flags, ...) {
  va_list arguments;
  va_start(arguments, flags);
  const unsigned mode = mode_of(flags, arguments);
  va_end(arguments);
  return open_at(folder, path, flags, mode);
}

ssize_t write(int file, const void* bytes, std::size_t size) {
  // Half of it is written, as on a disk that fills up.
  if (fault().call == "write" && fails("write", path_of(file))) {
    const int error = errno;
    if (size > 1 && fault().error == ENOSPC && fault().count == fault().number) {
      return syscall(SYS_write, file, bytes, size / 2);
    }
    errno = error;
    return -1;
  }
  return syscall(SYS_write, file, bytes, size);
}

int fsync(int file) { return fails("fsync", path_of(file)) ? -1 : static_cast<int>(syscall(SYS_fsync, file)); }

int renameat(int from_folder, const char* from, int to_folder, const char* to) noexcept {
  if (fails("rename", path_of(to_folder, to))) return -1;
  return static_cast<int>(syscall(SYS_renameat2, from_folder, from, to_folder, to, 0));
}

}  // extern "C"
