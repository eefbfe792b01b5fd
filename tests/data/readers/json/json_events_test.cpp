#include "data/readers/json/json_events.h"

#include <cstdio>
#include <filesystem>
#include <memory>
#include <vector>

#include "generated/source_dir.h"
#include "kernels/base/philox.h"
#include "kernels/base/text.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

/// Writes down all events; numbers with all their bits.
struct Record {
  std::string events;

  bool null() { return add("null"); }
  bool boolean(bool b) { return add(b ? "true" : "false"); }
  bool number_integer(std::int64_t i) { return add("i" + std::to_string(i)); }
  bool number_unsigned(std::uint64_t u) { return add("u" + std::to_string(u)); }
  bool number_float(double d, std::string_view) { return add(formatted("%a", d)); }
  bool string(std::string_view text) { return add("'" + std::string(text) + "'"); }
  bool binary(nlohmann::json::binary_t&) { return true; }
  bool key(std::string_view name) { return add("key " + std::string(name)); }
  bool start_object(std::size_t) { return add("{"); }
  bool end_object() { return add("}"); }
  bool start_array(std::size_t) { return add("["); }
  bool end_array() { return add("]"); }
  bool parse_error(std::size_t, const std::string&, const nlohmann::json::exception&) { return false; }

 private:
  bool add(const std::string& event) {
    events += event + "\n";
    return true;
  }
};

/// The same verdict as nlohmann's parser, and the same events where the text is JSON; from memory and from a file in
/// pieces of `piece` bytes.
void compare(const std::string& text, std::size_t piece = 3) {
  INFO(text);
  Record theirs, ours, in_pieces;
  const bool accepted = nlohmann::json::sax_parse(text, &theirs);
  REQUIRE(JsonEventReader(std::string_view(text), ours).read() == accepted);
  std::string bytes = text + " ";  // fmemopen takes no empty text
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(fmemopen(bytes.data(), bytes.size(), "rb"), std::fclose);
  REQUIRE(JsonEventReader(file.get(), in_pieces, piece).read() == accepted);
  if (!accepted) return;
  REQUIRE(ours.events == theirs.events);
  REQUIRE(in_pieces.events == theirs.events);
}

constexpr const char* kTexts[] = {
    "",
    " ",
    "null",
    "[]",
    "{}",
    "[1,]",
    "[,1]",
    "[1 2]",
    "{\"a\":1,}",
    "{\"a\" 1}",
    "{1:2}",
    "{\"a\":}",
    "[1]]",
    "[[1]",
    "[1}",
    "[1] x",
    "[1]\n\t \r",
    "tru",
    "[truee]",
    "\xEF\xBB\xBF[1]",
    "\xEF\xBB[1]",
    "[\"\xC3\xA9\", \"\xC3\", \"a\"]",
    "[\"\xF0\x9F\x98\x80\"]",
    "[\"\xED\xA0\x80\"]",
    "[\"\x7F\"]",
    "[\"a\nb\"]",
    "[\"abc]",
    "[\"a\\\"b\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\"]",
    "[\"\\ud83d\"]",
    "[\"\\ude00\"]",
    "[\"\\u12\"]",
    "[\"\\x\"]",
    "[\"\\",
    "{\"k\\u0065y\": [{}, {\"a\": {\"b\": []}}]}",
    "[-]",
    "[-a]",
    "[+1]",
    "[.5]",
    "[1.]",
    "[01]",
    "[-01]",
    "[0, -0, 0.0, -0.0, 00]",
    "[1e5, 1E+5, 1e-5, 1.5e3]",
    "[1e]",
    "[1e+]",
    "[0x10]",
    "[NaN]",
    "[-Infinity]",
    "[999999999999999999, -999999999999999999, 1000000000000000000]",
    "[9223372036854775807, 9223372036854775808, -9223372036854775808, -9223372036854775809]",
    "[18446744073709551615, 18446744073709551616, 123456789012345678901234567890]",
    "[0.1, 123.456, 99999999999999.9, 999999999999999.9, 0.000000000000001, 0.0000000000000001]",
    "[0.30000000000000004, 1.7976931348623157e308, 2.2250738585072014e-308, 4.9e-324, 1e-400, -1e-400]",
    "[1e400]",
    "[-1e400]",
    "[17.899999618530273, 0.9823415279388428, 473.07000000000005, 8.41]",
};

TEST_CASE("JSON is read as by nlohmann's parser", "[json_events]") {
  for (const char* text : kTexts) compare(text);
  compare(std::string("[1]\0[", 5));
  compare(std::string("[1,\0]", 5));
  compare(std::string("[\"a\0b\"]", 7));
  compare(std::string(100000, '[') + std::string(100000, ']'));
  compare("[\"" + std::string(100000, 'x') + "\", " + std::string(100000, '1') + "]");
}

TEST_CASE("Python's numbers come as empty objects where they are accepted", "[json_events]") {
  for (const std::string text : {"[NaN, -Infinity, {\"a\": Infinity}, \"NaN\"]", "[NaN]"}) {
    Record record;
    JsonEventReader reader(std::string_view(text), record);
    reader.accept_python_numbers();
    CHECK(reader.read());
    CHECK(record.events.starts_with("[\n{\n}\n"));
  }
  for (const std::string text : {"[-NaN]", "[NaNs]", "[Inf]", "[-]"}) {
    Record record;
    JsonEventReader reader(std::string_view(text), record);
    reader.accept_python_numbers();
    CHECK_FALSE(reader.read());
  }
}

TEST_CASE("Changed JSON is read as by nlohmann's parser", "[json_events]") {
  Philox random(11, 0);
  const std::string characters = "[]{}:,\"\\0123456789.-+eEtrufalsn \n\x01\xC3\xA9";
  for (int round = 0; round < 20000; ++round) {
    std::string text = kTexts[random.below(std::size(kTexts))];
    for (std::uint32_t n = random.below(4); n > 0; --n) {
      const auto place = random.below(static_cast<std::uint32_t>(text.size() + 1));
      const char character = characters[random.below(static_cast<std::uint32_t>(characters.size()))];
      if (place < text.size() && random.below(2) == 0)
        text[place] = character;
      else
        text.insert(text.begin() + place, character);
    }
    compare(text);
  }
}

TEST_CASE("Numbers have the same bits as by nlohmann's parser", "[json_events]") {
  Philox random(12, 0);
  std::string text = "[0";
  for (int i = 0; i < 20000; ++i) {
    text += random.below(2) ? ",-" : ",";
    text += std::to_string(random.below(1u << (1 + random.below(30))));
    if (random.below(4) == 0) continue;
    text += ".";
    for (std::uint32_t n = 1 + random.below(18); n > 0; --n) text += static_cast<char>('0' + random.below(10));
    if (random.below(8) == 0) text += "e" + std::to_string(static_cast<int>(random.below(60)) - 30);
  }
  compare(text + "]", 100);
}

TEST_CASE("Files of the fuzz corpus and of the evaluation cases are read as by nlohmann's parser", "[json_events]") {
  std::vector<std::string> folders = {DIOPTER_SOURCE_DIR "/tests/fuzz/corpus"};
  if (!test::test_data_folder().empty()) folders.push_back(test::test_data_folder() + "/eval_cases/coco");
  int files = 0;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
      if (!entry.is_regular_file() || entry.file_size() > 500'000) continue;
      compare(test::read_bytes(entry.path().string()), 1000);
      ++files;
    }
  }
  CHECK(files > 50);
}

}  // namespace
}  // namespace diopter
