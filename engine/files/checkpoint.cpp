#include "engine/files/checkpoint.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>

#include "engine/files/safetensors.h"
#include "engine/files/stored_type.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/limits.h"

namespace diopter {

namespace {

const char* stored_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::bf16: return "BF16";
    case DType::i32: return "I32";
    default: return "U8";
  }
}

/// An array of non-negative integers; throws json::exception for anything else.
std::vector<std::uint64_t> unsigned_list(const nlohmann::json& list) {
  std::vector<std::uint64_t> values;
  for (const nlohmann::json& value : list.get_ref<const nlohmann::json::array_t&>()) {
    values.push_back(value.get_ref<const nlohmann::json::number_unsigned_t&>());
  }
  return values;
}

/// Whether a tensor with these sizes and element_size bytes per element takes `bytes` bytes. Sizes come from the file:
/// their product may overflow, and beside a size of 0 another may be anything; none is beyond the file's.
bool takes_bytes(const std::vector<std::uint64_t>& sizes, std::uint64_t element_size, std::uint64_t bytes,
                 std::uint64_t file_size) {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  std::uint64_t product = element_size;
  for (std::uint64_t size : sizes) {
    if (size > file_size || product > kLargest / std::max<std::uint64_t>(size, 1)) return false;
    product *= size;
  }
  return product == bytes;
}

/// A copy in the other layout, [o, kh, kw, i] <-> [o, i, kh, kw]: the permutation of the last three sizes; other ranks
/// stay.
Tensor permuted(const Tensor& tensor, bool to_stored) {
  const Shape& s = tensor.shape();
  if (s.rank() != 4) return tensor.clone();
  const std::int64_t o = s[0], i = to_stored ? s[3] : s[1], taps = to_stored ? s[1] * s[2] : s[2] * s[3];
  const std::vector<float> in = tensor.to_vector<float>();
  std::vector<float> out(in.size());
  for (std::int64_t a = 0; a < o; ++a) {
    for (std::int64_t t = 0; t < taps; ++t) {
      for (std::int64_t c = 0; c < i; ++c) {
        const std::int64_t inner = (a * taps + t) * i + c, outer = (a * i + c) * taps + t;
        out[to_stored ? outer : inner] = in[to_stored ? inner : outer];
      }
    }
  }
  const Shape shape = to_stored ? Shape{o, i, s[1], s[2]} : Shape{o, s[2], s[3], i};
  return Tensor::from(shape, out);
}

/// A tensor of a file: where its bytes stand among those of all tensors.
struct StoredTensor {
  std::string name, type;
  Shape shape;
  std::uint64_t begin, end;
};

/// Sorts them by their place, and throws Error where they overlap, which would make a small file a large one, or leave
/// bytes out.
void check_that_they_fill(const std::string& file, std::size_t base, std::size_t file_size,
                          std::vector<StoredTensor>& tensors) {
  std::sort(tensors.begin(), tensors.end(), [](const StoredTensor& a, const StoredTensor& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  std::uint64_t end = 0;
  for (const StoredTensor& t : tensors) {
    DIOPTER_CHECK(t.begin >= end, file, ": tensor ", t.name, " overlaps another one, at offset ", base + t.begin);
    DIOPTER_CHECK(t.begin <= end, file, ": ", t.begin - end, " bytes before tensor ", t.name,
                  " belong to none, at offset ", base + end);
    end = t.end;
  }
  DIOPTER_CHECK(base + end == file_size, file, ": ", file_size - base - end, " bytes after the last tensor, at offset ",
                base + end);
}

std::string prefix_of(const std::string& name) {
  for (const std::string prefix : {kOptimizerPrefix, kAveragePrefix}) {
    if (name.compare(0, prefix.size(), prefix) == 0) return prefix;
  }
  return "";
}

std::string description(DType dtype, const Shape& shape) { return std::string(name_of(dtype)) + " " + shape.str(); }

std::string counts(int missing, int different, int surplus) {
  return std::to_string(missing) + " missing, " + std::to_string(different) + " different, " + std::to_string(surplus) +
         " surplus";
}

Shape stored_shape(const Shape& s) { return s.rank() == 4 ? Shape{s[0], s[3], s[1], s[2]} : s; }

}  // namespace

Checkpoint load_checkpoint(const std::string& file) { return parse_checkpoint(read_file(file), file); }

Checkpoint parse_checkpoint(std::string_view bytes, const std::string& file) {
  std::uint64_t header_size = 0;
  DIOPTER_CHECK(bytes.size() >= 8, file, ": truncated at offset ", bytes.size(), ": no safetensors header");
  std::memcpy(&header_size, bytes.data(), 8);
  DIOPTER_CHECK(header_size < static_cast<std::uint64_t>(limits::kSafetensorsHeader.value), file,
                ": not a safetensors file");
  DIOPTER_CHECK(8 + header_size <= bytes.size(), file, ": truncated at offset ", bytes.size(),
                ", within the header of ", header_size, " bytes");
  const std::size_t base = 8 + header_size;  // of the tensors' offsets
  std::vector<StoredTensor> stored;

  Checkpoint checkpoint{file, {}, {}};
  try {
    const nlohmann::json header = parse_json(bytes.substr(8, header_size));
    for (const auto& [name, entry] : header.get_ref<const nlohmann::json::object_t&>()) {
      if (name == "__metadata__") {
        for (const auto& [key, value] : entry.get_ref<const nlohmann::json::object_t&>()) {
          checkpoint.metadata[key] = value.get_ref<const std::string&>();
        }
        continue;
      }
      const std::string type = entry.at("dtype");
      const std::vector<std::uint64_t> sizes = unsigned_list(entry.at("shape"));
      const std::vector<std::uint64_t> range = unsigned_list(entry.at("data_offsets"));
      DIOPTER_CHECK(sizes.size() <= Shape::kMaxRank, file, ": tensor ", name, " has ", sizes.size(), " dimensions");
      DIOPTER_CHECK(stored_size(type) > 0, file, ": tensor ", name, " has type ", type, ", which is not supported");
      const bool fits = range.size() == 2 && range[0] <= range[1] &&
                        takes_bytes(sizes, stored_size(type), range[1] - range[0], bytes.size());
      DIOPTER_CHECK(fits, file, ": tensor ", name, ": offsets do not fit its shape ", json_text(entry.at("shape")));
      DIOPTER_CHECK(range[1] <= bytes.size() - base, file, ": truncated at offset ", bytes.size(), ", within tensor ",
                    name);
      stored.push_back({name, type, Shape(std::vector<std::int64_t>(sizes.begin(), sizes.end())), range[0], range[1]});
    }
  } catch (const nlohmann::json::exception&) {
    fail(file, ": not a safetensors file (its header is no JSON of tensors)");
  }
  check_that_they_fill(file, base, bytes.size(), stored);
  for (const StoredTensor& t : stored) {
    checkpoint.tensors[t.name] = from_stored(t.type, t.shape, bytes.data() + base + t.begin);
  }
  return checkpoint;
}

void save_checkpoint(const std::string& file, const Checkpoint& checkpoint) {
  std::vector<StoredArray> arrays;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    DIOPTER_CHECK(tensor.device() == Device::cpu, "tensor ", name, " of a checkpoint must be on the host");
    StoredArray array{name, stored_name(tensor.dtype()), {}, {static_cast<const char*>(tensor.raw()), tensor.bytes()}};
    for (int i = 0; i < tensor.shape().rank(); ++i) array.sizes.push_back(tensor.shape()[i]);
    arrays.push_back(array);
  }
  write_safetensors(file, arrays, checkpoint.metadata);
}

void put_tensors(Checkpoint& checkpoint, const std::string& prefix, const std::vector<NamedBuffer>& tensors) {
  for (const NamedBuffer& t : tensors) {
    const Tensor stored = permuted(t.tensor, true);
    checkpoint.tensors[prefix + t.name] =
        stored.device() == Device::cpu ? stored : Tensor::from(stored.shape(), stored.to_vector<float>());
  }
}

void get_tensors(const Checkpoint& checkpoint, const std::string& prefix, const std::vector<NamedBuffer>& tensors) {
  std::set<std::string> wanted;
  std::string faults;
  const auto note = [&](bool first, const auto&... parts) {
    if (!first) return;
    std::ostringstream text;
    (text << ... << parts);
    faults += (faults.empty() ? " tensor " : "; tensor ") + text.str();
  };
  int missing = 0, different = 0, surplus = 0;
  for (const NamedBuffer& t : tensors) {
    const std::string name = prefix + t.name;
    wanted.insert(name);
    const auto found = checkpoint.tensors.find(name);
    const std::string expected = description(t.tensor.dtype(), stored_shape(t.tensor.shape()));
    if (found == checkpoint.tensors.end()) {
      note(++missing == 1, name, " is missing (", expected, ")");
      continue;
    }
    const std::string stored = description(found->second.dtype(), found->second.shape());
    if (stored != expected) note(++different == 1, name, " is ", stored, ", the model has ", expected);
  }
  for (const auto& [name, tensor] : checkpoint.tensors) {
    if (wanted.count(name) || prefix_of(name) != prefix || name.ends_with(kBatchCount)) continue;
    note(++surplus == 1, name, " has no place in the model (", description(tensor.dtype(), tensor.shape()), ")");
  }
  const int all = missing + different + surplus;
  DIOPTER_CHECK(all == 0, checkpoint.file, ":", faults,
                all > 1 ? " (" + counts(missing, different, surplus) + ")" : "");
  for (const NamedBuffer& t : tensors) {
    const Tensor value = permuted(checkpoint.tensors.at(prefix + t.name), false);
    if (value.dtype() == DType::f32) {
      t.tensor.copy_from_host(value.to_vector<float>().data());
    } else {
      t.tensor.copy_from(value);
    }
  }
}

std::vector<NamedBuffer> model_state(const Module& model) {
  std::vector<NamedBuffer> state;
  for (const NamedParameter& p : model.parameters()) state.push_back({p.name, p.variable.value()});
  for (const NamedBuffer& b : model.buffers()) state.push_back(b);
  return state;
}

}  // namespace diopter
