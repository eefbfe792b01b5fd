// Files in the safetensors format, as they are written: a JSON header, then the bytes of the tensors.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace diopter {

struct StoredArray {
  std::string name, type;  // "F64", "I64", ...: safetensors' names
  std::vector<std::int64_t> sizes;
  std::string_view bytes;  // little-endian, the last dimension fastest
};

/// Writes to a temporary file and renames it. Names that are no UTF-8 are written with replacement characters.
void write_safetensors(const std::string& file, const std::vector<StoredArray>& arrays,
                       const std::map<std::string, std::string>& metadata);

}  // namespace diopter
