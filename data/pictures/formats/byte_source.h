// The bytes of a picture's file: in memory, or read from the file as they are asked for.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace diopter {

class ByteSource {
 public:
  /// Bytes in memory, which must stay.
  explicit ByteSource(std::string_view bytes)
      : bytes_(bytes), size_(static_cast<std::int64_t>(bytes.size())), file_(-1) {}
  /// A regular file. Throws Error "FILE: reason"; OutOfResources where the system is to blame, not the file.
  explicit ByteSource(const std::string& file);
  ~ByteSource();
  ByteSource(const ByteSource&) = delete;
  ByteSource& operator=(const ByteSource&) = delete;

  std::int64_t size() const { return size_; }
  /// Copies `count` bytes from `offset` on to `target`; fewer where the file ends or cannot be read. Returns how many.
  /// Throws nothing: called through the frames of C libraries.
  std::size_t read(std::int64_t offset, void* target, std::size_t count) const noexcept;
  /// The first `count` bytes, or all of them.
  std::string first(std::int64_t count) const;
  /// Why a read failed, as errno says; 0 where none did.
  int error() const { return error_; }

 private:
  std::string_view bytes_;
  std::int64_t size_;
  int file_;  // its descriptor; -1: in memory
  mutable int error_ = 0;
};

}  // namespace diopter
