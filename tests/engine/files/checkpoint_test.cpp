#include "engine/files/checkpoint.h"

#include <sys/resource.h>

#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>

#include "kernels/base/json.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;
using nlohmann::json;

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A safetensors file by hand: length, header, data.
std::string file_of(const std::string& header, const std::string& data) {
  return bytes_of(std::vector<std::uint64_t>{header.size()}) + header + data;
}

std::vector<NamedBuffer> some_tensors() {
  return {{"conv.weight", random_tensor({2, 3, 3, 2}, 1, Device::cpu)},
          {"conv.bias", random_tensor({2}, 2, Device::cpu)},
          {"count", Tensor::from({2, 2}, std::vector<std::int32_t>{1, -2, 3, 1 << 30})},
          {"mask", Tensor::from({3}, std::vector<std::uint8_t>{0, 1, 255})},
          {"half", Tensor::from({2}, std::vector<bf16>{bf16(1.5f), bf16(-2)})},
          {"scalar", Tensor::full({}, 7)},
          {"none", Tensor::zeros({0, 4})}};
}

std::vector<NamedBuffer> zeros_like(const std::vector<NamedBuffer>& tensors) {
  std::vector<NamedBuffer> zeros;
  for (const NamedBuffer& t : tensors) zeros.push_back({t.name, Tensor::zeros(t.tensor.shape(), t.tensor.dtype())});
  return zeros;
}

std::string raw_bytes(const Tensor& x) { return {static_cast<const char*>(x.raw()), x.bytes()}; }

bool same_bits(const std::vector<NamedBuffer>& a, const std::vector<NamedBuffer>& b) {
  bool same = a.size() == b.size();
  for (std::size_t i = 0; same && i < a.size(); ++i) same = raw_bytes(a[i].tensor) == raw_bytes(b[i].tensor);
  return same;
}

Checkpoint some_checkpoint() {
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", some_tensors());
  checkpoint.metadata = {{"step", "12"}, {"text", "line\n\"quoted\" \\ \u00fc"}};
  return checkpoint;
}

TEST_CASE("Checkpoint: what is saved comes back bit for bit") {
  const TemporaryFolder folder;
  const std::string file = folder.path("model.safetensors");
  save_checkpoint(file, some_checkpoint());
  const Checkpoint loaded = load_checkpoint(file);
  CHECK(loaded.file == file);
  CHECK(loaded.metadata == some_checkpoint().metadata);
  const std::vector<NamedBuffer> tensors = zeros_like(some_tensors());
  get_tensors(loaded, "", tensors);
  CHECK(same_bits(tensors, some_tensors()));

  save_checkpoint(folder.path("again"), loaded);
  CHECK(read_bytes(folder.path("again")) == read_bytes(file));
  save_checkpoint(folder.path("empty"), {});
  CHECK(load_checkpoint(folder.path("empty")).tensors.empty());
}

TEST_CASE("Checkpoint: weights are stored with the inputs before the kernel") {
  // Each value tells its place: 1000 out + 100 y + 10 x + in.
  const Tensor w = Tensor::empty({2, 3, 2, 4});
  float* values = w.data<float>();
  for (int o = 0; o < 2; ++o)
    for (int y = 0; y < 3; ++y)
      for (int x = 0; x < 2; ++x)
        for (int i = 0; i < 4; ++i) *values++ = static_cast<float>(1000 * o + 100 * y + 10 * x + i);
  Checkpoint checkpoint;
  put_tensors(checkpoint, "average.", {{"w", w}});
  const Tensor& stored = checkpoint.tensors.at("average.w");
  REQUIRE(stored.shape() == Shape{2, 4, 3, 2});
  const std::vector<float> s = stored.to_vector<float>();
  std::vector<float> expected;
  for (int o = 0; o < 2; ++o)
    for (int i = 0; i < 4; ++i)
      for (int y = 0; y < 3; ++y)
        for (int x = 0; x < 2; ++x) expected.push_back(static_cast<float>(1000 * o + 100 * y + 10 * x + i));
  CHECK(s == expected);
  CHECK(s[1] == 10);
  CHECK(s[2] == 100);
  CHECK(s[6] == 1);
}

TEST_CASE("Checkpoint: the file is a safetensors file") {
  const TemporaryFolder folder;
  const std::string file = folder.path("model.safetensors");
  save_checkpoint(file, some_checkpoint());
  const std::string bytes = read_bytes(file);
  std::uint64_t size = 0;
  REQUIRE(bytes.size() > 8);
  std::memcpy(&size, bytes.data(), 8);
  REQUIRE(8 + size < bytes.size());
  CHECK(size % 8 == 0);
  CHECK(bytes[8] == '{');
  const json header = parse_json(bytes.substr(8, size));
  CHECK(header.at("__metadata__").at("step") == "12");
  CHECK(header.size() == 1 + some_tensors().size());
  CHECK(header.at("conv.weight").at("dtype") == "F32");
  CHECK(header.at("conv.weight").at("shape") == json::array({2, 2, 3, 3}));
  CHECK(header.at("count").at("dtype") == "I32");
  CHECK(header.at("mask").at("dtype") == "U8");
  CHECK(header.at("half").at("dtype") == "BF16");
  CHECK(header.at("scalar").at("shape") == json::array());
  CHECK(header.at("none").at("shape") == json::array({0, 4}));

  const auto data_of = [&](const char* name) {
    const std::size_t begin = header.at(name).at("data_offsets").at(0), end = header.at(name).at("data_offsets").at(1);
    return bytes.substr(8 + size + begin, end - begin);
  };
  CHECK(data_of("conv.bias") == raw_bytes(some_tensors()[1].tensor));
  CHECK(data_of("count") == bytes_of(std::vector<std::int32_t>{1, -2, 3, 1 << 30}));
  std::size_t total = 0;
  for (const auto& [name, entry] : header.items()) {
    if (name != "__metadata__") total += data_of(name.c_str()).size();
  }
  CHECK(8 + size + total == bytes.size());
}

TEST_CASE("Checkpoint: what was put does not change with the model") {
  const std::vector<NamedBuffer> model = some_tensors();
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", model);
  for (const NamedBuffer& t : model) t.tensor.zero();
  const std::vector<NamedBuffer> restored = zeros_like(model);
  get_tensors(checkpoint, "", restored);
  CHECK(same_bits(restored, some_tensors()));
}

TEST_CASE("Checkpoint: types of other writers are converted") {
  const TemporaryFolder folder;
  const std::string data =
      bytes_of(std::vector<std::uint16_t>{0x3c00, 0xc000, 0x0001, 0x7bff, 0x7c00, 0x8000, 0x3555}) +
      bytes_of(std::vector<double>{0.1}) + bytes_of(std::vector<std::int64_t>{-5, 1 << 20});
  const std::string file = folder.write("x", file_of(R"({"f16":{"dtype":"F16","shape":[7],"data_offsets":[0,14]},)"
                                                     R"("f64":{"dtype":"F64","shape":[1],"data_offsets":[14,22]},)"
                                                     R"("i64":{"dtype":"I64","shape":[2],"data_offsets":[22,38]}})",
                                                     data));
  const Checkpoint checkpoint = load_checkpoint(file);
  CHECK(checkpoint.tensors.at("f16").to_vector<float>() ==
        std::vector<float>{1, -2, 0x1p-24f, 65504, INFINITY, -0.0f, 0.333251953125f});
  CHECK(std::signbit(checkpoint.tensors.at("f16").to_vector<float>()[5]));
  CHECK(checkpoint.tensors.at("f64").to_vector<float>() == std::vector<float>{0.1f});
  CHECK(checkpoint.tensors.at("i64").to_vector<std::int32_t>() == std::vector<std::int32_t>{-5, 1 << 20});
}

TEST_CASE("Checkpoint: truncated files are errors that name file and offset") {
  const TemporaryFolder folder;
  const std::string file = folder.path("model.safetensors");
  save_checkpoint(file, some_checkpoint());
  const std::string bytes = read_bytes(file);
  std::vector<std::size_t> lengths{1, 7, 8, 9, bytes.size() - 1};
  for (std::size_t length = 0; length < bytes.size(); length += 37) lengths.push_back(length);
  for (std::size_t length : lengths) {
    const std::string cut = folder.write("cut", bytes.substr(0, length));
    const std::string error = error_of([&] { load_checkpoint(cut); });
    INFO(length << " bytes: " << error);
    CHECK(error.rfind(cut + ": truncated at offset " + std::to_string(length), 0) == 0);
  }
}

TEST_CASE("Checkpoint: files that are something else are errors") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& bytes) {
    const std::string file = folder.write("x", bytes);
    const std::string text = error_of([&] { load_checkpoint(file); });
    return text.rfind(file + ": ", 0) == 0 ? text.substr(file.size() + 2) : "unnamed: " + text;
  };
  const auto header_error = [&](const std::string& header) { return error(file_of(header, "12345678")); };
  const auto tensor_error = [&](const std::string& type, const std::string& shape, const std::string& offsets) {
    return header_error(R"({"w":{"dtype":")" + type + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}");
  };
  const std::string no_json = "not a safetensors file (its header is no JSON of tensors)";
  CHECK(error("PK\x03\x04 this is a zip file, as torch.save writes it") == "not a safetensors file");
  CHECK(error(std::string(100, '\xff')) == "not a safetensors file");
  for (const char* header :
       {"", "{", "null", "[]", "5", "\"x\"", "{} {}", "\xff\xfe", R"({"w":5})", R"({"w":[]})", R"({"w":{}})",
        R"({"w":{"dtype":5,"shape":[2],"data_offsets":[0,8]}})", R"({"__metadata__":{"a":1}})",
        R"({"__metadata__":["a"]})", R"({"w":{"dtype":"F32","shape":2,"data_offsets":[0,8]}})"}) {
    INFO(header);
    CHECK(header_error(header) == no_json);
  }
  for (const char* shape : {"[-2]", "[2.0]", "[\"2\"]", "[null]", "[18446744073709551616]"}) {
    INFO(shape);
    CHECK(tensor_error("F32", shape, "[0,8]") == no_json);
  }
  for (const char* offsets : {"[0.0,8]", "[-8,0]", "{\"a\":0,\"b\":8}"})
    CHECK(tensor_error("F32", "[2]", offsets) == no_json);

  CHECK(tensor_error("F32", "[2]", "[0,8]").rfind("unnamed", 0) == 0);  // this one is right
  CHECK(tensor_error("C64", "[1]", "[0,8]") == "tensor w has type C64, which is not supported");
  CHECK(tensor_error("F32", "[1,1,1,1,1,2]", "[0,8]") == "tensor w has 6 dimensions");
  CHECK(tensor_error("F32", "[3]", "[0,8]") == "tensor w: offsets do not fit its shape [3]");
  CHECK(tensor_error("F32", "[2]", "[8,0]") == "tensor w: offsets do not fit its shape [2]");
  CHECK(tensor_error("F32", "[2]", "[0]") == "tensor w: offsets do not fit its shape [2]");
  // Products and sums that wrap around.
  CHECK(tensor_error("F32", "[4294967296,4294967296]", "[0,0]") ==
        "tensor w: offsets do not fit its shape [4294967296,4294967296]");
  CHECK(tensor_error("F32", "[9223372036854775807,2]", "[0,8]") ==
        "tensor w: offsets do not fit its shape [9223372036854775807,2]");
  CHECK(tensor_error("F32", "[0,1000]", "[0,0]") == "tensor w: offsets do not fit its shape [0,1000]");
  CHECK(tensor_error("F32", "[2]", "[18446744073709551600,18446744073709551608]").rfind("truncated at offset ", 0) ==
        0);
  CHECK(tensor_error("F32", "[1]", "[0,4]") == "4 bytes after the last tensor, at offset 66");
}

TEST_CASE("Checkpoint: tensors that overlap or leave bytes out are refused") {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& a, const std::string& b) {
    const auto entry = [](const std::string& name, const std::string& offsets) {
      return '"' + name + R"(":{"dtype":"U8","shape":[4],"data_offsets":[)" + offsets + "]}";
    };
    const std::string file = folder.write("x", file_of("{" + entry("a", a) + "," + entry("b", b) + "}", "12345678"));
    return error_of([&] { load_checkpoint(file); });
  };
  CHECK(load("0,4", "4,8").empty());
  CHECK(load("4,8", "0,4").empty());
  CHECK(contains(load("0,4", "0,4"), " overlaps another one, at offset "));
  CHECK(contains(load("2,6", "4,8"), "2 bytes before tensor a belong to none, at offset "));
  CHECK(contains(load("0,4", "3,7"), "tensor b overlaps another one, at offset "));
}

TEST_CASE("Checkpoint: a header with any byte changed is read or refused", "[thorough]") {
  const TemporaryFolder folder;
  const std::string file = folder.path("model.safetensors");
  save_checkpoint(file, some_checkpoint());
  const std::string bytes = read_bytes(file);
  std::uint64_t size = 0;
  std::memcpy(&size, bytes.data(), 8);
  int refused = 0;
  for (std::size_t i = 0; i < 8 + size; ++i) {
    std::string changed = bytes;
    changed[i] = "90}\"]\xff"[i % 6];
    const std::string name = folder.write("changed", changed), error = error_of([&] { load_checkpoint(name); });
    if (error.empty()) continue;
    CHECK(error.rfind(name + ": ", 0) == 0);
    ++refused;
  }
  CHECK(refused > 100);
}

TEST_CASE("Checkpoint: missing, surplus and differing tensors are named, and nothing is copied") {
  const std::vector<NamedBuffer> model = zeros_like(some_tensors());
  Checkpoint good = some_checkpoint();
  good.file = "old.safetensors";
  const auto error_with = [&](const std::function<void(Checkpoint&)>& change) {
    Checkpoint checkpoint = good;
    change(checkpoint);
    const std::string error = error_of([&] { get_tensors(checkpoint, "", model); });
    CHECK(same_bits(model, zeros_like(model)));
    return error;
  };
  CHECK(error_with([](Checkpoint& c) { c.tensors.erase("scalar"); }) ==
        "old.safetensors: tensor scalar is missing (f32 [])");
  CHECK(error_with([](Checkpoint& c) { c.tensors["zz"] = Tensor::zeros({1}); }) ==
        "old.safetensors: tensor zz has no place in the model (f32 [1])");
  CHECK(error_with([](Checkpoint& c) {
          c.tensors["conv.weight"] = Tensor::zeros({2, 3, 3, 2});
        }) == "old.safetensors: tensor conv.weight is f32 [2, 3, 3, 2], the model has f32 [2, 2, 3, 3]");
  // The first of each kind, and how many there are.
  CHECK(error_with([](Checkpoint& c) {
          c.tensors.erase("scalar");
          c.tensors.erase("mask");
          c.tensors["conv.bias"] = Tensor::zeros({3});
          c.tensors["zz"] = Tensor::zeros({1});
        }) ==
        "old.safetensors: tensor conv.bias is f32 [3], the model has f32 [2]; tensor mask is missing (u8 [3]); tensor "
        "zz has no place in the model (f32 [1]) (2 missing, 1 different, 1 surplus)");
  CHECK(error_with([](Checkpoint& c) {
          c.tensors["conv.num_batches_tracked"] = Tensor::zeros({}, DType::i32);  // PyTorch's, read and left alone
          c.tensors.erase("none");
        }) == "old.safetensors: tensor none is missing (f32 [0, 4])");
  CHECK(error_with([](Checkpoint& c) { c.tensors["scalar"] = Tensor::zeros({}, DType::bf16); }) ==
        "old.safetensors: tensor scalar is bf16 [], the model has f32 []");
}

TEST_CASE("Checkpoint: each prefix has its own tensors") {
  const auto one = [](float value) { return std::vector<NamedBuffer>{{"w", Tensor::full({1}, value)}}; };
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", one(1));
  put_tensors(checkpoint, kOptimizerPrefix, one(2));
  put_tensors(checkpoint, kAveragePrefix, one(3));
  CHECK(checkpoint.tensors.count("optimizer.w") == 1);
  CHECK(checkpoint.tensors.count("average.w") == 1);
  for (const auto& [prefix, value] :
       std::map<std::string, float>{{"", 1}, {kOptimizerPrefix, 2}, {kAveragePrefix, 3}}) {
    const std::vector<NamedBuffer> target = one(0);
    get_tensors(checkpoint, prefix, target);
    CHECK(target[0].tensor.item() == value);
  }
  checkpoint.tensors["average.v"] = Tensor::zeros({1});
  CHECK_NOTHROW(get_tensors(checkpoint, "", one(0)));
  CHECK_NOTHROW(get_tensors(checkpoint, kOptimizerPrefix, one(0)));
  CHECK(error_of([&] { get_tensors(checkpoint, kAveragePrefix, one(0)); }) ==
        ": tensor average.v has no place in the model (f32 [1])");
}

TEST_CASE("Checkpoint: a module's state is its parameters and buffers") {
  InitRandom random(1);
  struct Layer : Module {
    explicit Layer(InitRandom& r) : conv(2, 4, {}, r), norm(NormKind::batch, 4) {
      add_module("conv", conv);
      add_module("norm", norm);
    }
    Conv2d conv;
    Norm norm;
  };
  const Layer source(random), target(random);
  std::vector<std::string> names;
  for (const NamedBuffer& b : model_state(source)) names.push_back(b.name);
  CHECK(names == std::vector<std::string>{"conv.weight", "conv.bias", "norm.weight", "norm.bias", "norm.running_mean",
                                          "norm.running_var"});
  CHECK_FALSE(same_bits(model_state(source), model_state(target)));
  Checkpoint checkpoint;
  put_tensors(checkpoint, "", model_state(source));
  get_tensors(checkpoint, "", model_state(target));
  CHECK(same_bits(model_state(source), model_state(target)));
}

TEST_CASE("Checkpoint: text that is not UTF-8 can be saved") {
  const TemporaryFolder folder;
  Checkpoint checkpoint;
  checkpoint.metadata["classes"] = "caf\xe9";
  save_checkpoint(folder.path("x"), checkpoint);
  CHECK(load_checkpoint(folder.path("x")).metadata.at("classes") == "caf\xef\xbf\xbd");
}

TEST_CASE("Checkpoint: paths that cannot be read or written") {
  const TemporaryFolder folder;
  const std::string nowhere = folder.path("none/model.safetensors");
  CHECK(error_of([&] { load_checkpoint(nowhere); }) == nowhere + ": no such file");
  CHECK(error_of([&] { load_checkpoint(folder.path()); }) == folder.path() + ": is a folder, not a file");
  CHECK(error_of([&] { save_checkpoint(nowhere, some_checkpoint()); }) ==
        nowhere + ": cannot write: No such file or directory");
  std::filesystem::create_directory(folder.path("folder"));
  CHECK(error_of([&] {
          save_checkpoint(folder.path("folder"), some_checkpoint());
        }).rfind(folder.path("folder") + ": ", 0) == 0);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
}

/// While alive, this process cannot write files longer than `bytes`, as on a full disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  FileSizeLimit(const FileSizeLimit&) = delete;

 private:
  void (*handler_)(int);
  rlimit before_;
};

TEST_CASE("Checkpoint: when writing fails the old file stays and nothing else is left") {
  const TemporaryFolder folder;
  const std::string file = folder.path("model.safetensors");
  save_checkpoint(file, some_checkpoint());
  const std::string before = read_bytes(file);
  Checkpoint large = some_checkpoint();
  large.tensors["large"] = Tensor::zeros({100000});
  std::string error;
  {
    const FileSizeLimit limit(200000);
    error = error_of([&] { save_checkpoint(file, large); });
  }
  CHECK(error == file + ": cannot write: File too large");
  CHECK(read_bytes(file) == before);
  CHECK(std::distance(std::filesystem::directory_iterator(folder.path()), {}) == 1);
  save_checkpoint(file, large);
  CHECK(load_checkpoint(file).tensors.at("large").size() == 100000);
}

}  // namespace
}  // namespace diopter
