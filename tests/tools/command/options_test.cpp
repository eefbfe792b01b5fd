// Command lines: what options accept, show in the help and refuse, and how a command ends.
#include "tools/command/options.h"

#include <initializer_list>
#include <limits>

#include "kernels/base/check.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using diopter::test::contains;

namespace {

/// A program with the subcommand `try`, with an option of each kind.
struct Fixture {
  Program program{"prog", "Tries options", "prog 1.2", "The end."};
  Command command = program.command().subcommand("try", "Tries them all", "try --text x");

  std::string text = "a b", metric = "coco";
  int whole = 3, used = 0, calls = 0;
  std::int64_t large = 1;
  std::uint64_t natural = 7;
  float real = 0.5f;
  double share = 0.25;
  std::pair<int, int> objects{3, 7};
  std::pair<float, float> sizes{0.25f, 0.5f};
  std::vector<std::string> inputs, settings;
  std::vector<float> gammas{1, 2};
  bool resume = false, exact = false;

  Fixture() {
    command.text("--text", text, "A text").type("FILE");
    command.choice("--metric", metric, {"coco", "voc"}, "A choice").type("NAME");
    command.number("--whole", whole, "A whole number").range(1, 9).type("N");
    command.number("--large", large, "A large one").positive();
    command.number("--natural", natural, "Not negative").not_negative().limits_in_words().default_in_words();
    command.number("--real", real, "A real number");
    command.number("--share", share, "A share").range(0.0, 1.0).limits_in_words();
    command.number(
        "--use", [this](int n) { used = n; }, "Used at once");
    command.pair("--objects", objects, "A pair").type("MIN MAX");
    command.pair("--sizes", sizes, "Another").type("MIN MAX");
    command.list("--gammas", gammas, "A list");
    command.repeated("--set", settings, "May be repeated").type("KEY=VALUE");
    command.list("inputs", inputs, "What to read").type("IN");
    command.flag("--resume", resume, "A flag");
    command.flag(
        "--exact", [this] { exact = true; }, "A flag that acts");
    command.action([this] { return ++calls, 0; });
  }

  int run(std::initializer_list<std::string> arguments) {
    std::vector<std::string> words{"prog"};
    words.insert(words.end(), arguments);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    return program.run(static_cast<int>(argv.size()), argv.data());
  }

  /// Why the command line is refused; "" when it is not.
  std::string refusal(std::initializer_list<std::string> arguments) {
    try {
      run(arguments);
    } catch (const Error& error) {
      return error.what();
    }
    return "";
  }
};

}  // namespace

TEST_CASE("options write what was given to their variables, and leave the rest") {
  Fixture f;
  REQUIRE(f.run({"try"}) == 0);
  REQUIRE(f.calls == 1);
  REQUIRE(f.text == "a b");
  REQUIRE(f.objects == std::pair(3, 7));
  REQUIRE_FALSE(f.command.given("--exact"));

  REQUIRE(f.run({"try",
                 "--text",
                 "x y",
                 "--metric",
                 "voc",
                 "--whole",
                 "9",
                 "--large",
                 "5000000000",
                 "--natural",
                 "18446744073709551615",
                 "--real",
                 "1e-3",
                 "--share",
                 "1",
                 "--use",
                 "4",
                 "--objects",
                 "1",
                 "2",
                 "--sizes",
                 "0.5",
                 "1.5",
                 "--gammas",
                 "3",
                 "4",
                 "5",
                 "--set",
                 "a=1",
                 "--set",
                 "b=2",
                 "--resume",
                 "--exact",
                 "in1",
                 "in2"}) == 0);
  REQUIRE(f.calls == 2);
  REQUIRE(f.text == "x y");
  REQUIRE(f.metric == "voc");
  REQUIRE(f.whole == 9);
  REQUIRE(f.large == 5'000'000'000);
  REQUIRE(f.natural == std::numeric_limits<std::uint64_t>::max());
  REQUIRE(f.real == 1e-3f);
  REQUIRE(f.share == 1);
  REQUIRE(f.used == 4);
  REQUIRE(f.objects == std::pair(1, 2));
  REQUIRE(f.sizes == std::pair(0.5f, 1.5f));
  REQUIRE(f.gammas == std::vector<float>{3, 4, 5});
  REQUIRE(f.settings == std::vector<std::string>{"a=1", "b=2"});
  REQUIRE(f.inputs == std::vector<std::string>{"in1", "in2"});
  REQUIRE((f.resume && f.exact));
  REQUIRE(f.command.given("--exact"));
}

TEST_CASE("values out of limits, unknown options and missing ones are refused in one line with a hint") {
  Fixture f;
  const std::string hint = " (see prog try --help)";
  REQUIRE(f.refusal({"try", "--whole", "0"}) == "--whole: Value 0 not in range 1 to 9" + hint);
  REQUIRE(f.refusal({"try", "--whole", "10"}) == "--whole: Value 10 not in range 1 to 9" + hint);
  REQUIRE(f.refusal({"try", "--large", "0"}) == "--large: Value 0 is not a number above 0" + hint);
  REQUIRE(f.refusal({"try", "--large", "x"}) == "--large: Value x is not a number above 0" + hint);
  REQUIRE(f.refusal({"try", "--natural", "-1"}) == "--natural: Value -1 is not a number of at least 0" + hint);
  REQUIRE(f.refusal({"try", "--natural", "0"}) == "");
  REQUIRE(f.refusal({"try", "--share", "1.5"}) == "--share: Value 1.5 not in range 0.000000 to 1.000000" + hint);
  REQUIRE(f.refusal({"try", "--metric", "coca"}) == "--metric: coca not in {coco,voc}" + hint);
  REQUIRE(f.refusal({"try", "--real", "much"}) == "Could not convert: --real = much" + hint);
  REQUIRE(f.refusal({"try", "--objects", "1"}) == "--objects: 2 required MIN MAX missing" + hint);
  REQUIRE(contains(f.refusal({"try", "--text", "a", "--text", "b"}), "--text: "));
  REQUIRE(contains(f.refusal({"try", "--sise", "4"}), "--sise"));
  REQUIRE(f.refusal({"tri"}) == "unknown command 'tri'; the nearest is try (there are try) (see prog --help)");
  REQUIRE(f.refusal({"zzzzzz"}) == "unknown command 'zzzzzz' (there are try) (see prog --help)");
  REQUIRE(f.refusal({}) == "no command given, it is one of try (see prog --help)");

  std::string needed;
  f.command.text("--needed", needed, "Must be there").required();
  REQUIRE(f.refusal({"try"}) == "--needed is required" + hint);
}

TEST_CASE("a command's exit code is the program's, and a group needs one of its commands") {
  Fixture f;
  bool done = false;
  Command group = f.program.command().subcommand("group", "A group", "group one");
  group.require_subcommand();
  group.subcommand("one", "One", "group one").action([] { return 3; });
  group.subcommand("two", "Two", "group two").action([&] { done = true; });
  REQUIRE(f.run({"group", "one"}) == 3);
  REQUIRE(f.run({"group", "two"}) == 0);
  REQUIRE(done);
  REQUIRE(f.refusal({"group"}) == "A subcommand is required (see prog group --help)");
  REQUIRE(f.calls == 0);
  f.program.command().subcommand("bad", "Fails", "bad").action([] { fail("no such file"); });
  REQUIRE(f.refusal({"bad"}) == "no such file");
}
