#include "engine/files/zip_archive.h"

#include <zip.h>

#include <filesystem>

#include "kernels/base/check.h"

namespace diopter {

void ZipArchive::Close::operator()(zip* archive) const { zip_discard(archive); }

ZipArchive::ZipArchive(const std::string& file) : file_(file) {
  std::error_code no_size;
  file_size_ = std::filesystem::file_size(file, no_size);
  int code = ZIP_ER_OK;
  archive_.reset(zip_open(file.c_str(), ZIP_RDONLY, &code));
  if (archive_) return;
  DIOPTER_CHECK(code != ZIP_ER_NOZIP, file, ": truncated at offset ", file_size_,
                ": a zip archive begins here, but its directory is not at the end");
  zip_error_t error;
  zip_error_init_with_code(&error, code);
  const std::string reason = zip_error_strerror(&error);
  zip_error_fini(&error);
  fail(file, ": ", reason);
}

std::string ZipArchive::find(const std::string& end) const {
  const zip_int64_t count = zip_get_num_entries(archive_.get(), 0);
  for (zip_int64_t i = 0; i < count; ++i) {
    const char* name = zip_get_name(archive_.get(), static_cast<zip_uint64_t>(i), ZIP_FL_ENC_RAW);
    if (name && std::string_view(name).ends_with(end)) return name;
  }
  return "";
}

std::uint64_t ZipArchive::size(const std::string& member) const {
  zip_stat_t stat;
  DIOPTER_CHECK(zip_stat(archive_.get(), member.c_str(), ZIP_FL_ENC_RAW, &stat) == 0, file_, ": holds no ", member);
  const bool stored = (stat.valid & ZIP_STAT_COMP_METHOD) && stat.comp_method == ZIP_CM_STORE &&
                      (stat.valid & ZIP_STAT_ENCRYPTION_METHOD) && stat.encryption_method == ZIP_EM_NONE;
  DIOPTER_CHECK(stored, file_, ": ", member, " is compressed or encrypted; torch.save does neither");
  DIOPTER_CHECK((stat.valid & ZIP_STAT_SIZE) && stat.size <= file_size_, file_, ": ", member, " is said to have ",
                stat.size, " bytes, more than the file");
  return stat.size;
}

std::string ZipArchive::read(const std::string& member) const {
  std::string bytes(size(member), '\0');
  zip_file_t* open = zip_fopen(archive_.get(), member.c_str(), ZIP_FL_ENC_RAW);
  DIOPTER_CHECK(open, file_, ": ", member, ": ", zip_strerror(archive_.get()));
  const zip_int64_t read = zip_fread(open, bytes.data(), bytes.size());
  char beyond;  // the checksum is compared at the end of the member
  const bool whole = read == static_cast<zip_int64_t>(bytes.size()) && zip_fread(open, &beyond, 1) == 0;
  const std::string reason = whole ? "" : zip_file_strerror(open);
  zip_fclose(open);
  DIOPTER_CHECK(whole, file_, ": ", member, " is damaged: ", reason);
  return bytes;
}

}  // namespace diopter
