#include "engine/checkpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string_view>

#include "kernels/common/atomic_file.h"

namespace diopter {

namespace {

static_assert(std::endian::native == std::endian::little, "safetensors is little-endian");

const char* stored_name(DType dtype) {
  switch (dtype) {
    case DType::f32: return "F32";
    case DType::bf16: return "BF16";
    case DType::i32: return "I32";
    default: return "U8";
  }
}

float half_to_float(std::uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  float value = 0;
  if (exponent == 31) {
    value = mantissa ? NAN : INFINITY;
  } else {
    value = std::ldexp(static_cast<float>(exponent ? mantissa + 1024 : mantissa), (exponent ? exponent : 1) - 25);
  }
  return h & 0x8000 ? -value : value;
}

template <class From, class To, class Convert>
Tensor converted(const Shape& shape, const char* bytes, Convert convert) {
  std::vector<To> values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i) {
    From stored;
    std::memcpy(&stored, bytes + i * sizeof(From), sizeof stored);
    values[i] = convert(stored);
  }
  return Tensor::from(shape, values);
}

std::size_t stored_size(const std::string& type) {
  if (type == "F64" || type == "I64") return 8;
  if (type == "F32" || type == "I32") return 4;
  if (type == "F16" || type == "BF16") return 2;
  return type == "U8" ? 1 : 0;
}

/// An array of non-negative integers; throws json::exception for anything else.
std::vector<std::uint64_t> unsigned_list(const nlohmann::json& list) {
  std::vector<std::uint64_t> values;
  for (const nlohmann::json& value : list.get_ref<const nlohmann::json::array_t&>()) {
    values.push_back(value.get_ref<const nlohmann::json::number_unsigned_t&>());
  }
  return values;
}

/// Whether a tensor with these sizes and element_size bytes an element takes `bytes` bytes. Sizes come from the file:
/// their product may overflow.
bool takes_bytes(const std::vector<std::uint64_t>& sizes, std::uint64_t element_size, std::uint64_t bytes) {
  constexpr std::uint64_t kLargest = std::numeric_limits<std::int64_t>::max();
  std::uint64_t product = element_size;
  for (std::uint64_t size : sizes) {
    if (size > kLargest || product > kLargest / std::max<std::uint64_t>(size, 1)) return false;
    product *= size;
  }
  return product == bytes;
}

Tensor read_tensor(const std::string& type, const Shape& shape, const char* bytes) {
  if (type == "F64") return converted<double, float>(shape, bytes, [](double v) { return static_cast<float>(v); });
  if (type == "F16") return converted<std::uint16_t, float>(shape, bytes, half_to_float);
  if (type == "I64") {
    return converted<std::int64_t, std::int32_t>(shape, bytes, [](std::int64_t v) { return static_cast<std::int32_t>(v); });
  }
  const DType dtype = type == "F32" ? DType::f32 : type == "BF16" ? DType::bf16 : type == "I32" ? DType::i32 : DType::u8;
  Tensor tensor = Tensor::empty(shape, dtype);
  tensor.copy_from_host(bytes);
  return tensor;
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

std::string prefix_of(const std::string& name) {
  for (const std::string prefix : {kVelocityPrefix, kAveragePrefix}) {
    if (name.compare(0, prefix.size(), prefix) == 0) return prefix;
  }
  return "";
}

Shape stored_shape(const Shape& s) { return s.rank() == 4 ? Shape{s[0], s[3], s[1], s[2]} : s; }

}  // namespace

Checkpoint load_checkpoint(const std::string& file) {
  std::ifstream in(file, std::ios::binary);
  DIOPTER_CHECK(in && !std::filesystem::is_directory(file), file, ": cannot be opened");
  const std::string bytes((std::istreambuf_iterator<char>(in)), std::istreambuf_iterator<char>());
  std::uint64_t header_size = 0;
  DIOPTER_CHECK(bytes.size() >= 8, file, ": truncated at offset ", bytes.size(), ": no safetensors header");
  std::memcpy(&header_size, bytes.data(), 8);
  DIOPTER_CHECK(header_size < (1u << 28), file, ": not a safetensors file");
  DIOPTER_CHECK(8 + header_size <= bytes.size(), file, ": truncated at offset ", bytes.size(), ", within the header of ",
                header_size, " bytes");
  const std::size_t base = 8 + header_size;  // of the tensors' offsets
  std::size_t end = base;

  Checkpoint checkpoint{file, {}, {}};
  try {
    const nlohmann::json header = nlohmann::json::parse(bytes.data() + 8, bytes.data() + base);
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
                        takes_bytes(sizes, stored_size(type), range[1] - range[0]);
      DIOPTER_CHECK(fits, file, ": tensor ", name, ": offsets do not fit its shape ", entry.at("shape").dump());
      DIOPTER_CHECK(range[1] <= bytes.size() - base, file, ": truncated at offset ", bytes.size(), ", within tensor ", name);
      const Shape shape(std::vector<std::int64_t>(sizes.begin(), sizes.end()));
      checkpoint.tensors[name] = read_tensor(type, shape, bytes.data() + base + range[0]);
      end = std::max<std::size_t>(end, base + range[1]);
    }
  } catch (const nlohmann::json::exception&) {
    fail(file, ": not a safetensors file (its header is no JSON of tensors)");
  }
  DIOPTER_CHECK(end == bytes.size(), file, ": ", bytes.size() - end, " bytes after the last tensor, at offset ", end);
  return checkpoint;
}

void save_checkpoint(const std::string& file, const Checkpoint& checkpoint) {
  nlohmann::ordered_json header = nlohmann::ordered_json::object();
  if (!checkpoint.metadata.empty()) header["__metadata__"] = checkpoint.metadata;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    std::vector<std::int64_t> sizes;
    for (int i = 0; i < tensor.shape().rank(); ++i) sizes.push_back(tensor.shape()[i]);
    header[name] = {{"dtype", stored_name(tensor.dtype())}, {"shape", sizes},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  // Bytes that are no UTF-8, in the names of classes for instance, must not cost a trained model: they are replaced.
  std::string text = header.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
  text.append((8 - text.size() % 8) % 8, ' ');
  const std::uint64_t size = text.size();

  std::vector<std::string_view> parts{{reinterpret_cast<const char*>(&size), 8}, text};
  for (const auto& [name, tensor] : checkpoint.tensors) {
    DIOPTER_CHECK(tensor.device() == Device::cpu, "tensor ", name, " of a checkpoint must be on the host");
    parts.emplace_back(static_cast<const char*>(tensor.raw()), tensor.bytes());
  }
  write_file_atomically(file, parts);
}

void put_tensors(Checkpoint& checkpoint, const std::string& prefix, const std::vector<NamedBuffer>& tensors) {
  for (const NamedBuffer& t : tensors) {
    const Tensor stored = permuted(t.tensor, true);
    checkpoint.tensors[prefix + t.name] = stored.device() == Device::cpu ? stored
        : Tensor::from(stored.shape(), stored.to_vector<float>());
  }
}

void get_tensors(const Checkpoint& checkpoint, const std::string& prefix, const std::vector<NamedBuffer>& tensors) {
  std::set<std::string> wanted;
  for (const NamedBuffer& t : tensors) {
    const std::string name = prefix + t.name;
    wanted.insert(name);
    const auto found = checkpoint.tensors.find(name);
    DIOPTER_CHECK(found != checkpoint.tensors.end(), checkpoint.file, ": tensor ", name, " is missing");
    const Shape expected = stored_shape(t.tensor.shape());
    DIOPTER_CHECK(found->second.shape() == expected && found->second.dtype() == t.tensor.dtype(), checkpoint.file,
                  ": tensor ", name, " is ", name_of(found->second.dtype()), " ", found->second.shape().str(), ", the model has ",
                  name_of(t.tensor.dtype()), " ", expected.str());
  }
  for (const auto& entry : checkpoint.tensors) {
    DIOPTER_CHECK(wanted.count(entry.first) || prefix_of(entry.first) != prefix, checkpoint.file, ": tensor ", entry.first,
                  " has no place in the model");
  }
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
