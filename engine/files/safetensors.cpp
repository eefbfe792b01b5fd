#include "engine/files/safetensors.h"

#include "kernels/base/files.h"
#include "kernels/base/json.h"

namespace diopter {

void write_safetensors(const std::string& file, const std::vector<StoredArray>& arrays,
                       const std::map<std::string, std::string>& metadata) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::size_t offset = 0;
  for (const StoredArray& array : arrays) {
    header[array.name] = {
        {"dtype", array.type}, {"shape", array.sizes}, {"data_offsets", {offset, offset + array.bytes.size()}}};
    offset += array.bytes.size();
  }
  // Bytes that are no UTF-8, in the names of classes for instance, must not cost a trained model: they are replaced.
  std::string text = json_text(header);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t size = text.size();

  std::vector<std::string_view> parts{{reinterpret_cast<const char*>(&size), 8}, text};
  for (const StoredArray& array : arrays) parts.push_back(array.bytes);
  write_file_atomically(file, parts);
}

}  // namespace diopter
