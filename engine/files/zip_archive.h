// Uncompressed members of a zip archive, through libzip: what torch.save writes.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

struct zip;

namespace diopter {

class ZipArchive {
 public:
  /// Throws Error "FILE: ..." when the file is no whole zip archive.
  explicit ZipArchive(const std::string& file);

  /// Name of the first member that ends with `end`; "" when there is none.
  std::string find(const std::string& end) const;
  /// Bytes of a member; throws Error when there is none of this name, or when it is compressed, encrypted or larger
  /// than the file.
  std::uint64_t size(const std::string& member) const;
  /// The member's bytes; throws Error when they do not have the archive's checksum.
  std::string read(const std::string& member) const;

 private:
  struct Close {
    void operator()(zip* archive) const;
  };
  std::string file_;
  std::uint64_t file_size_;
  std::unique_ptr<zip, Close> archive_;
};

}  // namespace diopter
