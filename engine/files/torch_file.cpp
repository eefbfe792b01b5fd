#include "engine/files/torch_file.h"

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>

#include "engine/files/pickle.h"
#include "engine/files/stored_type.h"
#include "engine/files/zip_archive.h"
#include "kernels/base/files.h"
#include "kernels/base/limits.h"

namespace diopter {

namespace {

using Kind = PickleValue::Kind;

/// torch.save's older format begins with the pickle of the integer 0x1950a86a20f9469cfc6c.
constexpr std::string_view kLegacyStart("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.", 15);

/// torch.XStorage -> the elements' type; "" for those that no tensor here can have.
const std::map<std::string, std::string, std::less<>> kStorageTypes{
    {"torch.FloatStorage", "F32"},     {"torch.DoubleStorage", "F64"}, {"torch.HalfStorage", "F16"},
    {"torch.BFloat16Storage", "BF16"}, {"torch.LongStorage", "I64"},   {"torch.IntStorage", "I32"},
    {"torch.ByteStorage", "U8"},       {"torch.BoolStorage", ""},      {"torch.CharStorage", ""},
    {"torch.ShortStorage", ""}};

/// NumPy's names of types, without the byte order.
const std::map<std::string, std::string, std::less<>> kNumpyTypes{{"f4", "F32"}, {"f8", "F64"}, {"f2", "F16"},
                                                                  {"i8", "I64"}, {"i4", "I32"}, {"u1", "U8"}};

/// NumPy 2 renamed numpy.core.
bool calls_numpy(const PickleValue& value, const std::string& name) {
  return value.calls("numpy.core." + name) || value.calls("numpy._core." + name);
}

std::set<std::string> allowed_globals() {
  std::set<std::string> allowed{"collections.OrderedDict",
                                "collections.Counter",
                                "lightning_fabric.utilities.data.AttributeDict",
                                "lightning.fabric.utilities.data.AttributeDict",
                                "pytorch_lightning.utilities.parsing.AttributeDict",
                                "_codecs.encode",
                                "__builtin__.bytes",
                                "numpy.ndarray",
                                "numpy.dtype",
                                "torch._utils._rebuild_tensor",
                                "torch._utils._rebuild_tensor_v2",
                                "torch._utils._rebuild_parameter"};
  for (const auto& [name, type] : kStorageTypes) allowed.insert(name);
  for (const char* core : {"numpy.core.", "numpy._core."}) {
    for (const char* name : {"multiarray._reconstruct", "multiarray.scalar", "numeric._frombuffer"}) {
      allowed.insert(std::string(core) + name);
    }
  }
  return allowed;
}

constexpr auto kLongestKey = static_cast<std::size_t>(limits::kPickleKey.value);

/// Elements in a storage: where a tensor's values stand.
struct View {
  std::string type;  // as from_stored knows it
  std::string_view storage;
  std::uint64_t offset = 0;  // in elements
  std::vector<std::uint64_t> sizes, strides;
};

class TorchReader {
 public:
  /// `storage` gives the bytes of a torch storage by its key.
  TorchReader(const std::string& file, std::uint64_t file_size,
              std::function<std::string_view(const std::string& key)> storage)
      : file_(file), limit_(8 * file_size + 65536), budget_(limit_), storage_(std::move(storage)) {}

  Checkpoint read(const PickleValue& top) {
    const PickleValue* tensors = &top;
    require(top.is(Kind::dictionary), top, "the file holds no dictionary of tensors");
    Checkpoint checkpoint{file_, {}, {}};
    for (const char* key : {"model", "state_dict", "blobs"}) {
      const PickleValue* inner = top.find(key);
      if (!inner || !inner->is(Kind::dictionary)) continue;
      take_texts(top, checkpoint);
      tensors = inner;
      break;
    }
    take_texts(*tensors, checkpoint);
    for (std::size_t i = 0; i + 1 < tensors->items.size(); i += 2) {
      const PickleValue &key = *tensors->items[i], &value = *tensors->items[i + 1];
      if (!key.is(Kind::text)) continue;
      spend(key.text.size());
      name_ = key.text;
      if (const auto view = view_of(value)) checkpoint.tensors[name_] = gathered(*view, value);
    }
    DIOPTER_CHECK(!checkpoint.tensors.empty(), file_, ": its dictionary holds no tensors");
    return checkpoint;
  }

 private:
  template <class... Parts>
  void require(bool condition, const PickleValue& at, const Parts&... parts) const {
    DIOPTER_CHECK(condition, file_, ": offset ", at.offset,
                  " of its pickle: ", name_.empty() ? "" : "tensor " + name_ + ": ", parts...);
  }

  void take_texts(const PickleValue& dictionary, Checkpoint& checkpoint) {
    for (std::size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
      const PickleValue &key = *dictionary.items[i], &value = *dictionary.items[i + 1];
      if (!key.is(Kind::text) || !value.is(Kind::text)) continue;
      spend(key.text.size() + value.text.size());
      checkpoint.metadata[std::string(key.text)] = value.text;
    }
  }

  const PickleValue& argument(const PickleValue& call, std::size_t i, Kind kind) const {
    const auto& arguments = call.items[1]->items;
    require(i < arguments.size() && arguments[i]->is(kind), call, "argument ", i, " of ", call.items[0]->text,
            " is not what it should be");
    return *arguments[i];
  }

  std::uint64_t natural(const PickleValue& value) const {
    require(value.is(Kind::integer) && value.integer >= 0, value, "a size, stride or offset that is no natural number");
    return static_cast<std::uint64_t>(value.integer);
  }

  std::vector<std::uint64_t> naturals(const PickleValue& tuple) const {
    require(tuple.items.size() <= Shape::kMaxRank, tuple, "has ", tuple.items.size(), " dimensions");
    std::vector<std::uint64_t> values;
    for (const PickleValue* item : tuple.items) values.push_back(natural(*item));
    return values;
  }

  /// The view that a value describes; none when it is no tensor.
  std::optional<View> view_of(const PickleValue& value) const {
    const PickleValue* tensor = &value;
    if (tensor->calls("torch._utils._rebuild_parameter")) tensor = &argument(*tensor, 0, Kind::call);
    if (tensor->calls("torch._utils._rebuild_tensor_v2") || tensor->calls("torch._utils._rebuild_tensor")) {
      return torch_view(*tensor);
    }
    if (calls_numpy(*tensor, "multiarray._reconstruct")) {  // state: version, shape, type, Fortran's order, bytes
      require(tensor->items.size() == 3 && tensor->items[2]->items.size() == 5, *tensor, "an array without its state");
      const auto& state = tensor->items[2]->items;
      return numpy_view(*tensor, *state[4], *state[2], *state[1], state[3]->integer != 0);
    }
    if (calls_numpy(*tensor, "numeric._frombuffer")) {
      const auto& order = argument(*tensor, 3, Kind::text);
      return numpy_view(*tensor, argument(*tensor, 0, Kind::text), argument(*tensor, 1, Kind::call),
                        argument(*tensor, 2, Kind::tuple), order.text == "F");
    }
    return std::nullopt;
  }

  /// _rebuild_tensor_v2(storage, offset, sizes, strides, ...); storage: ("storage", class, key, device, elements).
  View torch_view(const PickleValue& call) const {
    const PickleValue& id = *argument(call, 0, Kind::persistent).items[0];
    const bool fits = id.is(Kind::tuple) && id.items.size() >= 3 && id.items[0]->text == "storage" &&
                      id.items[1]->is(Kind::global) && id.items[2]->is(Kind::text) &&
                      id.items[2]->text.size() <= kLongestKey;
    require(fits, call, "no storage");
    const auto type = kStorageTypes.find(id.items[1]->text);
    require(type != kStorageTypes.end() && !type->second.empty(), call, "is made of ", id.items[1]->text,
            ", which is not supported");
    return {type->second, storage_(std::string(id.items[2]->text)), natural(argument(call, 1, Kind::integer)),
            naturals(argument(call, 2, Kind::tuple)), naturals(argument(call, 3, Kind::tuple))};
  }

  View numpy_view(const PickleValue& call, const PickleValue& bytes, const PickleValue& dtype, const PickleValue& shape,
                  bool first_fastest) const {
    require(bytes.is(Kind::text) && shape.is(Kind::tuple) && dtype.calls("numpy.dtype"), call,
            "an array without its parts");
    const std::string_view name = argument(dtype, 0, Kind::text).text;
    const auto type = kNumpyTypes.find(name);
    // The state is (version, byte order, ...).
    const PickleValue* state = dtype.items.size() == 3 ? dtype.items[2] : nullptr;
    const bool big = state && state->items.size() > 1 && state->items[1]->text == ">";
    require(type != kNumpyTypes.end() && !big, call, "is of NumPy type ", big ? ">" : "", name,
            ", which is not supported");
    View view{type->second, bytes.text, 0, naturals(shape), {}};
    view.strides.resize(view.sizes.size());
    std::uint64_t stride = 1;
    for (std::size_t i = 0; i < view.sizes.size(); ++i) {
      const std::size_t axis = first_fastest ? i : view.sizes.size() - 1 - i;
      view.strides[axis] = stride;
      const std::uint64_t n = std::max<std::uint64_t>(view.sizes[axis], 1);
      require(stride <= (std::uint64_t{1} << 62) / n, call, "has a size that the file cannot hold");
      stride *= n;
    }
    return view;
  }

  void spend(std::uint64_t bytes) {
    DIOPTER_CHECK(bytes <= budget_, file_, ": its tensors need far more memory than the file is large, tensor ", name_,
                  " for one");
    budget_ -= bytes;
  }

  /// The view's elements, in order.
  Tensor gathered(const View& view, const PickleValue& at) {
    const std::uint64_t size = stored_size(view.type), stored = view.storage.size() / size;
    require(view.sizes.size() == view.strides.size(), at, "has not as many strides as sizes");
    std::uint64_t count = 1;
    for (const std::uint64_t n : view.sizes) {
      require(n <= limit_ && (n == 0 || count <= limit_ / n), at, "has a size that the file cannot hold");
      count *= n;
    }
    const Shape shape(std::vector<std::int64_t>(view.sizes.begin(), view.sizes.end()));
    if (count == 0) return from_stored(view.type, shape, "");
    spend(count * std::max<std::uint64_t>(size, sizeof(float)));

    // Offset of the last element; each term is compared before it is added, so that nothing wraps around.
    std::uint64_t left = stored;
    const auto advance = [&](std::uint64_t steps, std::uint64_t stride) {
      require(steps == 0 || stride <= (left - 1) / steps, at, "reaches beyond its storage of ", stored, " elements");
      left -= steps * stride;
    };
    require(left > 0, at, "has an empty storage");
    advance(1, view.offset);
    for (std::size_t i = 0; i < view.sizes.size(); ++i) advance(view.sizes[i] - 1, view.strides[i]);

    const char* first = view.storage.data() + view.offset * size;
    if (contiguous(view)) return from_stored(view.type, shape, first);
    std::string elements(count * size, '\0');
    std::vector<std::uint64_t> index(view.sizes.size(), 0);
    for (std::uint64_t i = 0; i < count; ++i) {
      std::uint64_t from = 0;
      for (std::size_t d = 0; d < index.size(); ++d) from += index[d] * view.strides[d];
      std::memcpy(elements.data() + i * size, first + from * size, size);
      for (std::size_t d = index.size(); d-- > 0 && ++index[d] == view.sizes[d];) index[d] = 0;
    }
    return from_stored(view.type, shape, elements.data());
  }

  static bool contiguous(const View& view) {
    std::uint64_t stride = 1;
    for (std::size_t d = view.sizes.size(); d-- > 0;) {
      if (view.sizes[d] > 1 && view.strides[d] != stride) return false;
      stride *= view.sizes[d];
    }
    return true;
  }

  std::string file_;
  std::string name_;      // of the tensor that is being read
  std::uint64_t limit_;   // bytes that all tensors together may take, and
  std::uint64_t budget_;  // those of them that are left
  std::function<std::string_view(const std::string&)> storage_;
};

Checkpoint load_zip(const std::string& file, std::uint64_t file_size) {
  const ZipArchive archive(file);
  const std::string member = archive.find("/data.pkl");
  DIOPTER_CHECK(!member.empty(), file, ": a zip archive, but not of torch.save: it holds no data.pkl");
  const std::string folder = member.substr(0, member.size() - std::strlen("data.pkl"));
  const std::string order = archive.find("/byteorder");
  DIOPTER_CHECK(order.empty() || archive.read(order) == "little", file, ": was not written on a little-endian machine");
  const std::string bytes = archive.read(member);
  const Pickle pickle(bytes, 0, file + ": " + member, allowed_globals());

  std::map<std::string, std::string> storages;
  std::uint64_t held = 0;
  return TorchReader(file, file_size,
                     [&](const std::string& key) -> std::string_view {
                       const auto [storage, fresh] = storages.try_emplace(key);
                       if (fresh) {
                         const std::string name = folder + "data/" + key;
                         held += archive.size(name);
                         DIOPTER_CHECK(held <= file_size, file, ": its members overlap, ", name, " for one");
                         storage->second = archive.read(name);
                       }
                       return storage->second;
                     })
      .read(pickle.value());
}

/// A stream: the magic number, a version, facts about the system, the pickle of the dictionary, the storages' keys;
/// then of each storage the number of elements (8 bytes) and the elements.
Checkpoint load_legacy(const std::string& file, const std::string& bytes) {
  const std::set<std::string> allowed = allowed_globals();
  const Pickle version(bytes, kLegacyStart.size(), file, allowed), system(bytes, version.end(), file, allowed);
  const PickleValue* little = system.value().find("little_endian");
  DIOPTER_CHECK(!little || little->integer == 1, file, ": was not written on a little-endian machine");
  const Pickle pickle(bytes, system.end(), file, allowed), keys(bytes, pickle.end(), file, allowed);

  std::map<std::string, std::uint64_t, std::less<>> element_sizes;
  for (const PickleValue& value : pickle.values()) {
    if (!value.is(Kind::persistent) || value.items[0]->items.size() < 3) continue;
    const auto& id = value.items[0]->items;
    const auto type = kStorageTypes.find(id[1]->text);
    if (type == kStorageTypes.end()) continue;
    // Those without a type here are of one byte, but for ShortStorage.
    if (id[2]->text.size() > kLongestKey) continue;
    const std::uint64_t size = stored_size(type->second);
    element_sizes[std::string(id[2]->text)] = size ? size : type->first == "torch.ShortStorage" ? 2 : 1;
  }
  std::map<std::string, std::string_view> storages;
  std::size_t position = keys.end();
  for (const PickleValue* key : keys.value().items) {
    const auto size = element_sizes.find(key->text);
    DIOPTER_CHECK(size != element_sizes.end(), file, ": offset ", key->offset, ": a storage that no tensor uses");
    const std::size_t left = bytes.size() - position;
    std::uint64_t elements = 0;
    DIOPTER_CHECK(left >= sizeof elements, file, ": truncated at offset ", bytes.size(), ", before storage ",
                  key->text);
    std::memcpy(&elements, bytes.data() + position, sizeof elements);
    DIOPTER_CHECK(elements <= (left - sizeof elements) / size->second, file, ": truncated at offset ", bytes.size(),
                  ", within storage ", key->text);
    position += sizeof elements;
    storages[std::string(key->text)] = std::string_view(bytes).substr(position, elements * size->second);
    position += elements * size->second;
  }
  return TorchReader(file, bytes.size(),
                     [&](const std::string& key) {
                       const auto storage = storages.find(key);
                       DIOPTER_CHECK(storage != storages.end(), file, ": holds no storage ", key);
                       return storage->second;
                     })
      .read(pickle.value());
}

Checkpoint load_pickle(const std::string& file, const std::string& bytes) {
  const Pickle pickle(bytes, 0, file, allowed_globals());
  return TorchReader(file, bytes.size(),
                     [&](const std::string&) -> std::string_view {
                       fail(file, ": a pickle with torch storages, which only torch.save can write");
                     })
      .read(pickle.value());
}

}  // namespace

bool is_torch_file(const std::string& file) {
  const std::string start = read_file(file, 9);
  if (start.starts_with("PK\x03\x04")) return true;
  // A safetensors file begins with the size of its header, 8 bytes that may look like a pickle's, and then has a brace.
  const bool safetensors = start.size() == 9 && start[7] == 0 && start[8] == '{';
  return start.size() > 1 && start[0] == '\x80' && start[1] >= 2 && start[1] <= 5 && !safetensors;
}

Checkpoint load_torch_file(const std::string& file) {
  if (read_file(file, 2) == "PK") return load_zip(file, std::filesystem::file_size(file));
  const std::string bytes = read_file(file);
  return bytes.starts_with(kLegacyStart) ? load_legacy(file, bytes) : load_pickle(file, bytes);
}

}  // namespace diopter
