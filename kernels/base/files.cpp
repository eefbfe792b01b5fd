#include "kernels/base/files.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <utility>

#include "kernels/base/check.h"

namespace diopter {

namespace {

[[noreturn]] void fail_to_write(const std::string& file, int error) {
  fail(file, ": cannot write: ", std::strerror(error));
}

/// An open file or folder, or none.
class Descriptor {
 public:
  explicit Descriptor(int number = -1) : number_(number) {}
  Descriptor(Descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~Descriptor() { close(); }

  explicit operator bool() const { return number_ >= 0; }
  int number() const { return number_; }
  /// False where only now comes to light that something could not be written.
  bool close() { return number_ < 0 || ::close(std::exchange(number_, -1)) == 0; }

 private:
  int number_;
};

bool write_all(const Descriptor& file, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = write(file.number(), bytes.data(), bytes.size());
    if (count < 0 && errno != EINTR) return false;
    if (count > 0) bytes.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

bool write_all(const Descriptor& file, const std::vector<std::string_view>& parts) {
  return std::all_of(parts.begin(), parts.end(), [&](std::string_view part) { return write_all(file, part); });
}

/// File systems that keep nothing on a disk refuse: then there is nothing to wait for.
bool sync(const Descriptor& file) {
  int result = 0;
  do {
    result = fsync(file.number());
  } while (result != 0 && errno == EINTR);
  return result == 0 || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP;
}

constexpr std::string_view kTemporaryName = "diopter", kTemporaryMark = ".tmp";

/// A new file in a folder, under a short name whatever it will be called, and locked: one that is not locked was left
/// by a program that is gone. It is removed again unless it is renamed.
class TemporaryFile {
 public:
  explicit TemporaryFile(const Descriptor& folder) : folder_(folder) {
    bool taken = true;
    for (int i = 0; taken; ++i) {
      name_ = std::string(kTemporaryName) + std::string(kTemporaryMark) + std::to_string(getpid());
      if (i > 0) name_ += "-" + std::to_string(i);
      file_ = Descriptor(openat(folder.number(), name_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
      taken = file_ ? was_taken_for_left_behind() : errno == EEXIST;
    }
  }
  ~TemporaryFile() {
    if (file_) unlinkat(folder_.number(), name_.c_str(), 0);
  }
  TemporaryFile(const TemporaryFile&) = delete;

  const Descriptor& file() const { return file_; }
  /// A file system of the network may find only when a file is closed that there is no room for it.
  bool hand_over() const { return Descriptor(fcntl(file_.number(), F_DUPFD_CLOEXEC, 0)).close(); }
  bool rename(const std::string& name) {
    if (renameat(folder_.number(), name_.c_str(), folder_.number(), name.c_str()) != 0) return false;
    file_.close();
    return true;
  }

 private:
  /// remove_temporary_files may have come between its making and its lock.
  bool was_taken_for_left_behind() const {
    if (flock(file_.number(), LOCK_EX | LOCK_NB) != 0) return errno == EWOULDBLOCK;
    struct stat status {};
    return fstat(file_.number(), &status) == 0 && status.st_nlink == 0;
  }

  const Descriptor& folder_;
  Descriptor file_;
  std::string name_;
};

}  // namespace

void fail_to_read(const std::string& file, int error) {
  if (error == ENOENT) fail(file, ": no such file");
  if (error == EISDIR) fail(file, ": is a folder, not a file");
  const std::string message = file + ": cannot be read: " + std::strerror(error);
  if (error == EMFILE || error == ENFILE || error == ENOMEM) throw OutOfResources(message);
  throw Error(message);
}

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
  const Descriptor in(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) fail_to_read(file, errno);

  // One read takes a regular file and finds its end; pipes and files of /proc tell no size and take several.
  struct stat status {};
  const bool has_size = fstat(in.number(), &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0;
  const std::size_t step = has_size ? static_cast<std::size_t>(status.st_size) + 1 : std::size_t{1} << 16;
  std::string bytes;
  for (bool at_end = false; !at_end && bytes.size() < limit;) {
    const std::size_t begin = bytes.size(), wanted = std::min(step, limit - begin);
    bytes.resize(begin + wanted);
    const ssize_t count = read(in.number(), bytes.data() + begin, wanted);
    bytes.resize(begin + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count < 0 && errno != EINTR) fail_to_read(file, errno);
    at_end = count == 0 || (has_size && std::cmp_less(count, wanted) && count > 0);
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

void write_file_atomically(const std::string& file, const std::vector<std::string_view>& parts, OnDisk on_disk) {
  std::error_code no_file;
  const std::filesystem::file_status status = std::filesystem::status(file, no_file);
  if (std::filesystem::exists(status) && std::filesystem::is_other(status)) {
    const Descriptor out(open(file.c_str(), O_WRONLY | O_CLOEXEC));
    if (!out || !write_all(out, parts)) fail_to_write(file, errno);
    return;
  }

  const std::filesystem::path path(file);
  const std::string parent = path.has_parent_path() ? path.parent_path().string() : ".";
  const Descriptor folder(open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder) fail_to_write(file, errno);
  TemporaryFile temporary(folder);
  const bool written = temporary.file() && write_all(temporary.file(), parts) &&
                       (on_disk == OnDisk::now ? sync(temporary.file()) : temporary.hand_over()) &&
                       temporary.rename(path.filename().string()) && (on_disk == OnDisk::later || sync(folder));
  if (!written) fail_to_write(file, errno);
}

void write_file_atomically(const std::string& file, std::string_view bytes, OnDisk on_disk) {
  write_file_atomically(file, std::vector<std::string_view>{bytes}, on_disk);
}

void append_to_file(const std::string& file, std::string_view text) {
  const Descriptor out(open(file.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666));
  struct stat before {};
  if (!out || fstat(out.number(), &before) != 0) fail_to_write(file, errno);
  if (write_all(out, text)) return;
  const int error = errno;
  // What cannot be undone either ends in half a line; readers of such files leave it out.
  [[maybe_unused]] const int undone = ftruncate(out.number(), before.st_size);
  fail_to_write(file, error);
}

void put_on_disk(const std::string& file) {
  const Descriptor out(open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!out && errno == ENOENT) return;
  if (!out || !sync(out)) fail_to_write(file, errno);
}

bool is_temporary_file(std::string_view name) {
  const std::size_t mark = name.rfind(kTemporaryMark);
  if (mark == std::string_view::npos) return false;
  name.remove_prefix(mark + kTemporaryMark.size());
  constexpr std::string_view kDigits = "0123456789";
  const std::size_t process = std::min(name.find_first_not_of(kDigits), name.size());
  const std::string_view rest = name.substr(process);
  return process > 0 &&
         (rest.empty() || (rest[0] == '-' && rest.size() > 1 && rest.find_first_not_of(kDigits, 1) == rest.npos));
}

int remove_temporary_files(const std::string& folder) {
  int count = 0;
  std::error_code none;
  std::filesystem::recursive_directory_iterator entry(folder, none);
  for (; !none && entry != std::filesystem::recursive_directory_iterator(); entry.increment(none)) {
    if (!is_temporary_file(entry->path().filename().native())) continue;
    const Descriptor file(open(entry->path().c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    struct stat status {};
    const bool regular = file && fstat(file.number(), &status) == 0 && S_ISREG(status.st_mode);
    if (regular && flock(file.number(), LOCK_EX | LOCK_NB) == 0) count += unlink(entry->path().c_str()) == 0;
  }
  return count;
}

}  // namespace diopter
