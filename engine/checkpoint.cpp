#include "engine/checkpoint.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
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

/// [o, kh, kw, i] <-> [o, i, kh, kw]: the permutation of the last three sizes; other ranks stay.
Tensor permuted(const Tensor& tensor, bool to_stored) {
  const Shape& s = tensor.shape();
  if (s.rank() != 4) return tensor;
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
  const std::size_t base = 8 + header_size;

  Checkpoint checkpoint{file, {}, {}};
  try {
    const nlohmann::json header = nlohmann::json::parse(bytes.data() + 8, bytes.data() + base);
    for (const auto& [name, entry] : header.items()) {
      if (name == "__metadata__") {
        for (const auto& [key, value] : entry.items()) checkpoint.metadata[key] = value.get<std::string>();
        continue;
      }
      const std::string type = entry.at("dtype");
      const std::vector<std::int64_t> sizes = entry.at("shape");
      const std::vector<std::size_t> range = entry.at("data_offsets");
      DIOPTER_CHECK(sizes.size() <= Shape::kMaxRank, file, ": tensor ", name, " has ", sizes.size(), " dimensions");
      const Shape shape(sizes);
      DIOPTER_CHECK(stored_size(type) > 0, file, ": tensor ", name, " has type ", type, ", which is not supported");
      DIOPTER_CHECK(range.size() == 2 && range[0] <= range[1] &&
                        range[1] - range[0] == static_cast<std::size_t>(shape.size()) * stored_size(type),
                    file, ": tensor ", name, ": offsets do not fit its shape ", shape.str());
      DIOPTER_CHECK(base + range[1] <= bytes.size(), file, ": truncated at offset ", bytes.size(), ", within tensor ", name);
      checkpoint.tensors[name] = read_tensor(type, shape, bytes.data() + base + range[0]);
    }
  } catch (const nlohmann::json::exception&) {
    fail(file, ": not a safetensors file (its header is no JSON of tensors)");
  }
  return checkpoint;
}

void save_checkpoint(const std::string& file, const Checkpoint& checkpoint) {
  nlohmann::ordered_json header;
  if (!checkpoint.metadata.empty()) header["__metadata__"] = checkpoint.metadata;
  std::size_t offset = 0;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    std::vector<std::int64_t> sizes;
    for (int i = 0; i < tensor.shape().rank(); ++i) sizes.push_back(tensor.shape()[i]);
    header[name] = {{"dtype", stored_name(tensor.dtype())}, {"shape", sizes},
                    {"data_offsets", {offset, offset + tensor.bytes()}}};
    offset += tensor.bytes();
  }
  std::string text = header.dump();
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
