#include "engine/files/torch_file.h"

#include <cstring>
#include <limits>

#include "generated/source_dir.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;
using namespace std::string_literals;

const std::string kFiles = DIOPTER_SOURCE_DIR "/tests/golden/torch_files/";

/// (start, start + 1, ...) / 4
std::vector<float> ramp(int count, int start = 0) {
  std::vector<float> values;
  for (int i = 0; i < count; ++i) values.push_back(static_cast<float>(start + i) / 4);
  return values;
}

std::vector<float> floats(const Checkpoint& checkpoint, const std::string& name) {
  const Tensor& tensor = checkpoint.tensors.at(name);
  if (tensor.dtype() != DType::bf16) return tensor.to_vector<float>();
  std::vector<float> values;
  for (bf16 v : tensor.to_vector<bf16>()) values.push_back(static_cast<float>(v));
  return values;
}

TEST_CASE("torch files: every type and every kind of view, from both formats of torch.save") {
  for (const char* name : {"tensors.pth", "tensors_old.pth"}) {
    const std::string file = kFiles + name;
    INFO(file);
    CHECK(is_torch_file(file));
    const Checkpoint checkpoint = load_torch_file(file);
    const auto& t = checkpoint.tensors;
    CHECK(checkpoint.file == file);
    CHECK(t.size() == 13);
    CHECK(t.at("f32").shape() == Shape{2, 3, 1, 2});
    CHECK(floats(checkpoint, "f32") == ramp(12));
    CHECK(floats(checkpoint, "f64") == ramp(5, -2));
    CHECK(floats(checkpoint, "f16") == ramp(5, -2));
    CHECK(t.at("bf16").dtype() == DType::bf16);
    CHECK(floats(checkpoint, "bf16") == ramp(5, -2));
    CHECK(t.at("i64").to_vector<std::int32_t>() == std::vector<std::int32_t>{-3, 2147483647});
    CHECK(t.at("i32").shape() == Shape{1, 2});
    CHECK(t.at("i32").to_vector<std::int32_t>() == std::vector<std::int32_t>{-3, 7});
    CHECK(t.at("scalar").shape() == Shape{});
    CHECK(t.at("scalar").item() == 2.5f);
    CHECK(t.at("empty").shape() == Shape{0, 4});
    // whole = [[0, 1, 2], [3, 4, 5], ...] / 4
    CHECK(t.at("transposed").shape() == Shape{3, 4});
    CHECK(floats(checkpoint, "transposed") ==
          std::vector<float>{0, .75, 1.5, 2.25, .25, 1, 1.75, 2.5, .5, 1.25, 2, 2.75});
    CHECK(t.at("rows").shape() == Shape{2, 3});
    CHECK(floats(checkpoint, "rows") == ramp(6, 3));
    CHECK(floats(checkpoint, "columns") == std::vector<float>{.25, 1, 1.75, 2.5});
    CHECK(floats(checkpoint, "expanded") == std::vector<float>{1.5, 1.5, 1.5});
    CHECK(floats(checkpoint, "parameter") == ramp(4));
  }
}

TEST_CASE("torch files: of a training checkpoint, the model") {
  const Checkpoint checkpoint = load_torch_file(kFiles + "training.pth");
  std::vector<std::string> names;
  for (const auto& [name, tensor] : checkpoint.tensors) names.push_back(name);
  CHECK(names == std::vector<std::string>{"0.bias", "0.weight", "1.bias", "1.num_batches_tracked", "1.running_mean",
                                          "1.running_var", "1.weight"});
  CHECK(checkpoint.tensors.at("0.weight").shape() == Shape{2, 1, 3, 3});
  CHECK(floats(checkpoint, "0.weight") == ramp(18));
  CHECK(checkpoint.tensors.at("1.num_batches_tracked").to_vector<std::int32_t>() == std::vector<std::int32_t>{1});
  CHECK(checkpoint.metadata == std::map<std::string, std::string>{{"__author__", "a test"}});
}

TEST_CASE("torch files: pickles of NumPy arrays") {
  for (const char* name : {"arrays_2.pkl", "arrays_4.pkl", "arrays_5.pkl"}) {  // arrays_4 is in Fortran's order
    INFO(name);
    CHECK(is_torch_file(kFiles + name));
    const Checkpoint checkpoint = load_torch_file(kFiles + name);
    CHECK(checkpoint.tensors.size() == 6);
    CHECK(checkpoint.tensors.at("f32").shape() == Shape{2, 3});
    CHECK(floats(checkpoint, "f32") == ramp(6));
    CHECK(floats(checkpoint, "f64") == ramp(5, -2));
    CHECK(floats(checkpoint, "f16") == ramp(5, -2));
    CHECK(checkpoint.tensors.at("i64").to_vector<std::int32_t>() == std::vector<std::int32_t>{-3, 2147483647});
    CHECK(checkpoint.tensors.at("scalar").item() == 2.5f);
    CHECK(checkpoint.tensors.at("empty").shape() == Shape{0, 4});
    CHECK(checkpoint.metadata.at("__author__") == "a test");
  }
}

/// A pickle of protocol 2, as Python 2 writes it, of {"blobs": {"w": an array of two floats}}.
std::string python2_pickle(const std::string& type = "f4", const std::string& order = "<",
                           const std::string& count = "\x02"s) {
  return "\x80\x02}q\x00U\x05"s + "blobsq\x01}q\x02U\x01wq\x03" + "cnumpy.core.multiarray\n_reconstruct\nq\x04" +
         "cnumpy\nndarray\nq\x05K\x00\x85q\x06U\x01"s + "bq\x07\x87q\x08Rq\x09(K\x01K" + count + "\x85q\x0a" +
         "cnumpy\ndtype\nq\x0bU\x02" + type + "q\x0cK\x00K\x01\x87q\x0dRq\x0e(K\x03U\x01"s + order +
         "NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tq\x0f"s + "b\x89U\x08\x00\x00\x80\x3f\x00\x00\x00\xc0tq\x10"s +
         "bss.";
}

TEST_CASE("torch files: pickles of Python 2") {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& bytes) { return load_torch_file(folder.write("x.pkl", bytes)); };
  const Checkpoint checkpoint = load(python2_pickle());
  CHECK(checkpoint.tensors.at("w").shape() == Shape{2});
  CHECK(floats(checkpoint, "w") == std::vector<float>{1, -2});
  const auto error = [&](const std::string& bytes) { return error_of([&] { load(bytes); }); };
  CHECK(contains(error(python2_pickle("f4", ">")), "tensor w: is of NumPy type >f4, which is not supported"));
  CHECK(contains(error(python2_pickle("c8")), "tensor w: is of NumPy type c8, which is not supported"));
  CHECK(contains(error(python2_pickle("f4", "<", "\x03"s)), "tensor w: reaches beyond its storage of 2 elements"));
  CHECK(contains(error(python2_pickle("f8")), "tensor w: reaches beyond its storage of 1 elements"));
}

/// torch.save's older format around one tensor "w" in a storage of four floats: 1, 2, 3, 4.
std::string legacy_file(const std::string& view, const std::string& type = "FloatStorage",
                        const std::string& call = "_rebuild_tensor_v2", int elements = 4) {
  std::string storage(8, '\0');
  storage[0] = static_cast<char>(elements);
  for (float v : {1.0f, 2.0f, 3.0f, 4.0f}) storage.append(reinterpret_cast<const char*>(&v), sizeof v);
  return "\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."s + "\x80\x02M\xe9\x03."s + "\x80\x02}U\x0d"s +
         "little_endian\x88s." + "\x80\x02}U\x01wctorch._utils\n"s + call + "\n((U\x07storagectorch\n" + type +
         "\nU\x01" + "0U\x03" + "cpuK\x04NtQ" + view + "\x89" + "ccollections\nOrderedDict\n)RtRs." + "\x80\x02]U\x01" +
         "0a." + storage;
}

TEST_CASE("torch files: views are compared with their storages") {
  const TemporaryFolder folder;
  const auto load = [&](const std::string& view) { return load_torch_file(folder.write("x.pth", legacy_file(view))); };
  const auto error = [&](const std::string& view) { return error_of([&] { load(view); }); };
  const auto tuple = [](const std::string& a, const std::string& b) { return a + b + "\x86"; };
  const std::string zero = "K\x00"s, one = "K\x01", two = "K\x02", three = "K\x03", four = "K\x04",
                    minus = "J\xff\xff\xff\xff";
  const std::string huge = "\x8a\x08\xff\xff\xff\xff\xff\xff\xff\x7f", large = "\x8a\x05\x00\x00\x00\x00\x01"s;

  CHECK(floats(load(zero + tuple(two, two) + tuple(two, one)), "w") == std::vector<float>{1, 2, 3, 4});
  CHECK(floats(load(zero + tuple(two, two) + tuple(one, two)), "w") == std::vector<float>{1, 3, 2, 4});
  CHECK(floats(load(one + tuple(two, two) + tuple(one, one)), "w") == std::vector<float>{2, 3, 3, 4});
  CHECK(floats(load(three + tuple(one, one) + tuple(huge, huge)), "w") == std::vector<float>{4});
  CHECK(load(four + tuple(zero, two) + tuple(two, one)).tensors.at("w").shape() == Shape{0, 2});
  // Of a storage's identity only what is needed: "storage", its type, its key.
  const auto identity = [&](const std::string& from, const std::string& to) {
    std::string bytes = legacy_file(zero + tuple(two, two) + tuple(two, one));
    bytes.replace(bytes.find(from), from.size(), to);
    return error_of([&] { load_torch_file(folder.write("x.pth", bytes)); });
  };
  CHECK(identity("U\x03"
                 "cpuK\x04NtQ",
                 "tQ")
            .empty());
  CHECK_FALSE(identity("U\x01"
                       "0U\x03"
                       "cpuK\x04NtQ",
                       "tQ")
                  .empty());

  const std::string beyond = "reaches beyond its storage of 4 elements";
  CHECK(contains(error(one + tuple(two, two) + tuple(two, one)), beyond));
  CHECK(contains(error(four + tuple(one, one) + tuple(one, one)), beyond));
  CHECK(contains(error(huge + tuple(one, one) + tuple(one, one)), beyond));
  CHECK(contains(error(zero + tuple(two, two) + tuple(huge, one)), beyond));
  CHECK(contains(error(zero + tuple(two, two) + tuple(huge, huge)), beyond));
  CHECK(contains(error(zero + tuple(two, three) + tuple(large, large)), beyond));
  CHECK(contains(error(minus + tuple(two, two) + tuple(two, one)), "no natural number"));
  CHECK(contains(error(zero + tuple(minus, two) + tuple(two, one)), "no natural number"));
  CHECK(contains(error(zero + tuple(two, two) + tuple(minus, one)), "no natural number"));
  CHECK(contains(error(zero + tuple("N", two) + tuple(two, one)), "no natural number"));
  CHECK(contains(error(zero + tuple(huge, huge) + tuple(zero, zero)), "has a size that the file cannot hold"));
  CHECK(contains(error(zero + tuple(large, one) + tuple(zero, zero)), "has a size that the file cannot hold"));
  CHECK(contains(error(zero + tuple(large, zero) + tuple(zero, zero)), "has a size that the file cannot hold"));
  CHECK(contains(error(zero + "(" + one + one + one + one + one + one + "t" + tuple(one, one)), "has 6 dimensions"));
  CHECK(contains(error(zero + "(" + one + one + one + "t" + tuple(one, one)), "not as many strides as sizes"));
  CHECK(contains(error(zero + zero + tuple(one, one)), "argument 2 of torch._utils._rebuild_tensor_v2"));
}

TEST_CASE("torch files: the same storage many times is too much") {
  const TemporaryFolder folder;
  // An expanded tensor of 15,000 elements, again and again.
  std::string bytes = legacy_file("K\x00M\x98\x3a\x85K\x00\x85"s);
  const std::size_t begin = bytes.find("ctorch._utils"), end = bytes.find("s.\x80\x02]");
  std::string many = bytes.substr(begin, end - begin) + "q\x01s";
  for (char c = 'a'; c < 'k'; ++c) many += "U\x01"s + c + "h\x01s";
  bytes.replace(begin, end + 1 - begin, many);
  CHECK(
      contains(error_of([&] { load_torch_file(folder.write("x.pth", bytes)); }), "need far more memory than the file"));
}

/// Numbers of a zip archive, little-endian.
std::string little_endian(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xFF);
  return text;
}

std::uint32_t crc32_of(const std::string& bytes) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xEDB88320 : 0);
  }
  return ~crc;
}

/// torch.save's zip archive of a dictionary with as many storages of 1,000 floats as there are names: all of them the
/// same bytes of the file.
std::string overlapping_zip(const std::string& names) {
  std::string pickle = "\x80\x02}"s;
  for (const char name : names) {
    pickle += "U\x01"s + name + "ctorch._utils\n_rebuild_tensor_v2\n((U\x07storagectorch\nFloatStorage\nU\x01" + name +
              "U\x03" + "cpuM\xe8\x03tQK\x00M\xe8\x03\x85K\x01\x85\x89"s + "ccollections\nOrderedDict\n)RtRs"s;
  }
  pickle += ".";
  std::string bytes, directory;
  int entries = 0;
  const auto list = [&](const std::string& name, const std::string& content, std::size_t offset) {
    // Versions, flags, method, time, date; checksum, sizes; lengths of name and extra field.
    const std::string facts = little_endian(10, 2) + little_endian(0, 8) + little_endian(crc32_of(content), 4) +
                              little_endian(content.size(), 4) + little_endian(content.size(), 4) +
                              little_endian(name.size(), 2) + little_endian(0, 2);
    directory += "PK\x01\x02" + little_endian(10, 2) + facts + std::string(10, '\0') + little_endian(offset, 4) + name;
    ++entries;
    return "PK\x03\x04" + facts + name + content;
  };
  bytes += list("a/data.pkl", pickle, 0);
  const std::string content(4000, '\0');
  const std::size_t storage = bytes.size();
  std::string written;
  for (const char name : names) written = list("a/data/"s + name, content, storage);
  bytes += written;
  const std::size_t end = bytes.size();
  return bytes + directory + "PK\x05\x06" + little_endian(0, 4) + little_endian(entries, 2) +
         little_endian(entries, 2) + little_endian(directory.size(), 4) + little_endian(end, 4) + little_endian(0, 2);
}

TEST_CASE("torch files: members of a zip archive that are the same bytes are too much") {
  const TemporaryFolder folder;
  const Checkpoint one = load_torch_file(folder.write("one.pth", overlapping_zip("0")));
  CHECK(one.tensors.at("0").shape() == Shape{1000});
  CHECK(contains(error_of([&] { load_torch_file(folder.write("three.pth", overlapping_zip("012"))); }),
                 "three.pth: its members overlap, a/data/"));
}

TEST_CASE("torch files: the same text many times, or endless sizes, are too much") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& bytes) {
    return error_of([&] { load_torch_file(folder.write("x.pkl", bytes)); });
  };
  // Entries of a few bytes each, all with one long text.
  const std::string size = "\x20\x4e\x00\x00"s;  // 20,000
  std::string texts = "\x80\x02}(U\x01.X"s + size + std::string(20000, 'x') + "q\x01";
  for (char c = 'a'; c <= 'z'; ++c) texts += "U\x01"s + c + "h\x01";
  CHECK(contains(error(texts + "u."), "need far more memory than the file"));
  // Sizes are counted before they are read.
  CHECK(contains(error(legacy_file("K\x00("s + std::string(40000, ')') + "tK\x01\x85")), "has 40000 dimensions"));
}

TEST_CASE("torch files: what is wrong is named") {
  const TemporaryFolder folder;
  const auto error = [&](const std::string& bytes) {
    const std::string file = folder.write("x", bytes), text = error_of([&] { load_torch_file(file); });
    CHECK(text.starts_with(file + ": "));
    return text.substr(file.size() + 2);
  };
  const std::string view = "K\x00K\x04\x85K\x01\x85"s;
  REQUIRE(error_of([&] { load_torch_file(folder.write("good", legacy_file(view))); }).empty());
  CHECK(contains(error(legacy_file(view, "CharStorage")),
                 "tensor w: is made of torch.CharStorage, which is not supported"));
  CHECK(contains(error(legacy_file(view, "EvilStorage")), "asks for torch.EvilStorage; only tensors"));
  CHECK(contains(error(legacy_file(view, "FloatStorage", "_rebuild_anything")),
                 "asks for torch._utils._rebuild_anything"));
  CHECK(contains(error(legacy_file(view, "FloatStorage", "_rebuild_tensor_v2", 5)), "truncated at offset"));
  CHECK(error("\x80\x02K\x01."s) == "offset 2 of its pickle: the file holds no dictionary of tensors");
  CHECK(error("\x80\x02}."s) == "its dictionary holds no tensors");
  CHECK(error("\x80\x02}U\x01"s + "aK\x01s.") == "its dictionary holds no tensors");
  CHECK(contains(error("\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n(K\x01QtRs."s), "no storage"));
  CHECK(contains(error("\x80\x02}U\x01wctorch._utils\n_rebuild_tensor_v2\n)Rs."s), "argument 0"));
  CHECK(contains(error("\x80\x02}U\x01wcnumpy.core.multiarray\n_reconstruct\n)Rs."s), "without its state"));
  CHECK(contains(error("PK\x03\x04 a zip archive, they say"), "truncated at offset 28: a zip archive begins here"));
  CHECK(error_of([&] { load_torch_file(folder / "none"); }) == folder / "none: no such file");
}

TEST_CASE("torch files: other files are not taken for one") {
  const TemporaryFolder folder;
  CHECK_FALSE(is_torch_file(folder.write("x", "")));
  CHECK_FALSE(is_torch_file(folder.write("x", "PK")));
  CHECK_FALSE(is_torch_file(folder.write("x", "\x80")));
  // The size of a safetensors header may look like a pickle's first bytes.
  CHECK_FALSE(is_torch_file(folder.write("x", "\x80\x02\x00\x00\x00\x00\x00\x00{\"a\""s)));
  CHECK(is_torch_file(folder.write("x", "\x80\x02}.")));
}

TEST_CASE("torch files: cut anywhere they are errors") {
  const TemporaryFolder folder;
  for (const char* name : {"tensors.pth", "tensors_old.pth", "arrays_2.pkl", "arrays_5.pkl"}) {
    const std::string bytes = read_bytes(kFiles + name);
    REQUIRE(bytes.size() > 500);
    for (std::size_t n = 0; n < bytes.size(); n += n < 200 ? 1 : 7) {
      const std::string file = folder.write("cut", bytes.substr(0, n)),
                        error = error_of([&] { load_torch_file(file); });
      INFO(name << ", " << n << " bytes: " << error);
      CHECK(error.starts_with(file + ": "));
      if (n > 20 && name != "tensors.pth"s) CHECK(contains(error, "truncated at offset " + std::to_string(n)));
    }
  }
}

TEST_CASE("torch files: with any byte changed they are read or refused", "[thorough]") {
  const TemporaryFolder folder;
  for (const char* name : {"tensors.pth", "tensors_old.pth", "arrays_2.pkl", "arrays_5.pkl"}) {
    const std::string bytes = read_bytes(kFiles + name);
    int refused = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (i % 3 == 0 ? 0x01 : i % 3 == 1 ? 0x80 : 0xff));
      const std::string file = folder.write("changed", changed), error = error_of([&] { load_torch_file(file); });
      if (error.empty()) continue;
      INFO(name << ", byte " << i << ": " << error);
      CHECK(error.starts_with(file + ": "));
      ++refused;
    }
    CHECK(refused > 100);
  }
}

}  // namespace
}  // namespace diopter
