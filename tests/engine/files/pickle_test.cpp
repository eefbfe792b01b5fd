#include "engine/files/pickle.h"

#include <cstring>

#include "generated/source_dir.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;
using namespace std::string_literals;
using Kind = PickleValue::Kind;

const std::set<std::string> kAllowed{"collections.OrderedDict", "collections.Counter", "l.data.AttributeDict",
                                     "_codecs.encode",          "__builtin__.bytes",   "numpy.ndarray"};

/// The pickle of these bytes, which stay for as long as the program runs: its texts are views of them.
Pickle read(const std::string& bytes) {
  static std::deque<std::string> kept;
  return Pickle(kept.emplace_back(bytes), 0, "x.pkl", kAllowed);
}

std::string error(const std::string& bytes) {
  return error_of([&] { read(bytes); });
}

TEST_CASE("Pickle: numbers, texts and nothing") {
  // [None, True, False, 5, 300, -2, 2**40, -1, 0.5, b'ab', 'cd', 'ef']
  const std::string bytes =
      "\x80\x02]("s + "N\x88\x89K\x05M\x2c\x01J\xfe\xff\xff\xff\x8a\x06\x00\x00\x00\x00\x00\x01\x8a\x01\xff"s +
      "G\x3f\xe0\x00\x00\x00\x00\x00\x00"s + "U\x02"s + "abX\x02\x00\x00\x00"s + "cdT\x02\x00\x00\x00"s + "efe.";
  const Pickle pickle = read(bytes);
  CHECK(pickle.end() == bytes.size());
  const auto& items = pickle.value().items;
  REQUIRE(pickle.value().is(Kind::list));
  REQUIRE(items.size() == 12);
  CHECK(items[0]->is(Kind::none));
  CHECK((items[1]->is(Kind::boolean) && items[1]->integer == 1));
  CHECK((items[2]->is(Kind::boolean) && items[2]->integer == 0));
  const std::vector<std::int64_t> integers{5, 300, -2, std::int64_t{1} << 40, -1};
  for (std::size_t i = 0; i < integers.size(); ++i) {
    CHECK(items[3 + i]->is(Kind::integer));
    CHECK(items[3 + i]->integer == integers[i]);
  }
  CHECK((items[8]->is(Kind::real) && items[8]->real == 0.5));
  CHECK(items[9]->text == "ab");
  CHECK(items[10]->text == "cd");
  CHECK(items[11]->text == "ef");
  CHECK(items[11]->offset == bytes.size() - 9);
}

TEST_CASE("Pickle: tuples, dictionaries and the memo") {
  // {'a': (1, 2), 'b': the same tuple, 'a': []}; the last 'a' counts
  const Pickle pickle = read("\x80\x02}(U\x01"s + "aK\x01K\x02\x86q\x00U\x01"s + "bh\x00U\x01"s + "a]u.");
  const PickleValue& value = pickle.value();
  REQUIRE(value.find("b"));
  REQUIRE(value.find("b")->items.size() == 2);
  CHECK(value.find("b")->items[1]->integer == 2);
  CHECK(value.find("a")->is(Kind::list));
  CHECK(value.items[1] == value.find("b"));
  CHECK(value.find("c") == nullptr);
  CHECK(value.find("b")->find("a") == nullptr);

  CHECK(read("\x80\x02)."s).value().items.empty());
  CHECK(read("\x80\x02K\x01\x85."s).value().items.size() == 1);
  CHECK(read("\x80\x02K\x01K\x02K\x03\x87."s).value().items[2]->integer == 3);
  CHECK(read("\x80\x02(K\x01K\x02K\x03K\x04t."s).value().items[3]->integer == 4);
  CHECK(read("\x80\x02]K\x07"s + "a.").value().items[0]->integer == 7);
  CHECK(read("\x80\x02}K\x01K\x02s."s).value().items[1]->integer == 2);
  CHECK(read("\x80\x02K\x01K\x02"s + "0.").value().integer == 1);
  CHECK(read("\x80\x02K\x01(K\x02K\x03"s + "1.").value().integer == 1);
}

TEST_CASE("Pickle: a list may hold itself") {
  const Pickle pickle = read("\x80\x02]q\x00h\x00"s + "a.");
  CHECK(pickle.value().items[0] == &pickle.value());
}

TEST_CASE("Pickle: calls are recorded, not made") {
  const Pickle pickle = read("\x80\x02"s + "cnumpy\nndarray\nK\x01\x85RK\x05" + "b.");
  CHECK(pickle.value().calls("numpy.ndarray"));
  REQUIRE(pickle.value().items.size() == 3);
  CHECK(pickle.value().items[1]->items[0]->integer == 1);
  CHECK(pickle.value().items[2]->integer == 5);
  const Pickle named = read("\x80\x04\x8c\x05numpy\x8c\x07ndarray\x93)R."s);
  CHECK(named.value().calls("numpy.ndarray"));
  CHECK(read("\x80\x02K\x03Q."s).value().items[0]->integer == 3);
}

TEST_CASE("Pickle: OrderedDict and encoded texts are what they stand for") {
  const std::string ordered = "\x80\x02"s + "ccollections\nOrderedDict\n";
  CHECK(read(ordered + ")RU\x01"s + "aK\x01s.").value().find("a")->integer == 1);
  // OrderedDict([['a', 1]]), as Python 2 writes it; with a state, as torch does
  CHECK(read(ordered + "](U\x01"s + "aK\x01\x86" + "e\x85R}b.").value().find("a")->integer == 1);
  // Counter({'a': 1}); Lightning's AttributeDict through NEWOBJ
  CHECK(read("\x80\x02"s + "ccollections\nCounter\n}U\x01"s + "aK\x01s\x85R.").value().find("a")->integer == 1);
  CHECK(read("\x80\x02"s + "cl.data\nAttributeDict\n)\x81(U\x01"s + "aK\x01u.").value().find("a")->integer == 1);
  const std::string encode = "\x80\x02"s + "c_codecs\nencode\n";
  CHECK(
      read(encode + "X\x06\x00\x00\x00"s + "a\xc3\xbf\xc2\x80" + "bX\x06\x00\x00\x00"s + "latin1\x86R.").value().text ==
      "a\xff\x80"
      "b");
  CHECK(contains(error(encode + "X\x02\x00\x00\x00\xc4\x80X\x06\x00\x00\x00"s + "latin1\x86R."), "not in latin1"));
  CHECK(contains(error(encode + "X\x01\x00\x00\x00\xc3X\x06\x00\x00\x00"s + "latin1\x86R."), "not in latin1"));
  CHECK(contains(error(encode + "X\x01\x00\x00\x00"s + "aX\x05\x00\x00\x00"s + "utf-8\x86R."), "latin1"));
  CHECK(read("\x80\x02"s + "c__builtin__\nbytes\n)R.").value().text.empty());
}

TEST_CASE("Pickle: what is not needed for tensors is refused by name and offset") {
  CHECK(error("\x80\x02"s + "cos\nsystem\nU\x04true\x85R.").rfind("x.pkl: offset 2: asks for os.system; ", 0) == 0);
  CHECK(error("\x80\x04\x8c\x08"s + "builtins\x8c\x04" + "eval\x93)R.")
            .rfind("x.pkl: offset 18: asks for builtins.eval; ", 0) == 0);
  CHECK(contains(error("\x80\x02"s + "cnumpy\nload\n."), "numpy.load"));
  CHECK(contains(error("\x80\x02"s + "c\x1b[2Jos\nsystem\n."), "asks for ?[2Jos.system;"));
  CHECK(contains(error("\x80\x02"s + "c" + std::string(300, 'a') + "\nb\n."), std::string(80, 'a') + "...;"));
  CHECK(error("\x80\x02K\x01\x82\x01."s) == "x.pkl: offset 4: opcode 130, which files of tensors do not need");
  CHECK(contains(error("\x80\x02(ios\nsystem\n."s), "opcode 105"));  // INST calls as well
  CHECK(contains(error("\x80\x02)\x81."s), "opcode 129"));           // NEWOBJ
  CHECK(error("\x80\x01N."s) == "x.pkl: offset 0: pickle protocol 1; 2 to 5 can be read");
  CHECK(contains(error("\x80\x06N."s), "pickle protocol 6"));
}

TEST_CASE("Pickle: programs that are wrong") {
  for (const std::string& bytes : std::vector<std::string>{"."s,
                                                           "a."s,
                                                           "K\x01"s + "a.",
                                                           "}K\x01s.",
                                                           "(K\x01K\x02K\x03u.",
                                                           "e."s,
                                                           "t."s,
                                                           "R."s,
                                                           "K\x01)R.",
                                                           "cnumpy\nndarray\nK\x01R."s,
                                                           "0."s,
                                                           "1."s,
                                                           "2."s,
                                                           "(0."s,
                                                           "\x86."s,
                                                           "K\x01\x86.",
                                                           "b."s,
                                                           "NNb."s,
                                                           "Q."s,
                                                           "q\x00."s,
                                                           "h\x07."s,
                                                           "\x94."s,
                                                           "\x93."s,
                                                           "NN\x93."s,
                                                           "NN."s,
                                                           "(N."s,
                                                           "N(."s,
                                                           "}(K\x01u.",
                                                           "]}e."s,
                                                           "K\x01K\x02s.",
                                                           "\x8a\x09"s + "123456789."}) {
    INFO(bytes);
    CHECK(error("\x80\x02" + bytes).rfind("x.pkl: offset ", 0) == 0);
  }
  CHECK(contains(error("\x80\x02"s + "ccollections\nOrderedDict\nK\x01\x85\x85R."), "list of pairs"));
  CHECK(contains(error("\x80\x02"s + "c__builtin__\nbytes\nK\x01\x85R."), "__builtin__.bytes"));
}

TEST_CASE("Pickle: truncated ones name the offset") {
  const std::string bytes = "\x80\x02"s + "}(X\x03\x00\x00\x00"s +
                            "abccnumpy\nndarray\n)RJ\x01\x00\x00\x00\x8a\x02\x01\x01"s +
                            "G\x00\x00\x00\x00\x00\x00\x00\x00\x85\x85Nu."s;
  REQUIRE(error(bytes).empty());
  for (std::size_t n = 0; n < bytes.size(); ++n) {
    INFO(n);
    CHECK(error(bytes.substr(0, n)).rfind("x.pkl: truncated at offset " + std::to_string(n), 0) == 0);
  }
  CHECK(contains(error("\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xff."s),
                 "truncated at offset 12, within 18446744073709551615 bytes"));
}

TEST_CASE("Pickle: a few bytes cannot take much memory") {
  // Deep nesting, endless marks and copies of the same values.
  const Pickle deep = read("\x80\x02)" + std::string(1000000, '\x85') + ".");
  CHECK(deep.value().items.size() == 1);
  CHECK(contains(error("\x80\x02" + std::string(3000000, 'N')), "more than 1048576 values"));
  CHECK(contains(error("\x80\x02" + std::string(3000000, '(')), "more than 1048576 values"));
  CHECK(contains(error("\x80\x02N" + std::string(3000000, '2')), "more than 1048576 values"));
  std::string copies = "\x80\x02]q\x01("s;
  for (int i = 0; i < 10000; ++i) copies += "K\x01K\x01\x86";
  copies += "e0ccollections\nOrderedDict\nq\x02"s + "0";
  for (int i = 0; i < 1000; ++i) copies += "h\x02h\x01\x85R0"s;
  CHECK(contains(error(copies + "N."), "more than 1048576 values"));
  std::string texts = "\x80\x02"s + "c_codecs\nencode\nq\x01" + "0X\x00\x10\x00\x00"s + std::string(4096, 'a') +
                      "q\x02"s + "0X\x06\x00\x00\x00latin1q\x03"s + "0";
  for (int i = 0; i < 100; ++i) texts += "h\x01h\x02h\x03\x86R0";
  CHECK(contains(error(texts + "N."), "encoded again and again"));
}

TEST_CASE("Pickle: any changed byte gives a value or an error", "[thorough]") {
  const std::string bytes = read_bytes(DIOPTER_SOURCE_DIR "/tests/golden/torch_files/arrays_4.pkl");
  std::set<std::string> allowed = kAllowed;
  for (const char* name : {"multiarray._reconstruct", "multiarray.scalar"}) allowed.insert("numpy._core."s + name);
  allowed.insert("numpy.dtype");
  REQUIRE(error_of([&] { Pickle(bytes, 0, "x", allowed); }).empty());
  int refused = 0;
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    for (int value = 0; value < 256; value += 5) {
      std::string changed = bytes;
      changed[i] = static_cast<char>(value);
      refused += !error_of([&] { Pickle(changed, 0, "x", allowed); }).empty();
    }
  }
  CHECK(refused > 1000);
}

}  // namespace
}  // namespace diopter
