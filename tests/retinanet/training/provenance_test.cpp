#include "retinanet/training/provenance.h"

#include <cstdio>

#include "tests/support/files.h"

using namespace diopter;
using test::contains;
using test::error_of;

namespace {

Start start_of(const std::string& command) {
  return {"2026-01-02 03:04 UTC", "/a b", command, {{"processor", "p"}, {"device", "cpu"}}, {{"diopter", "1"}}, {}};
}

/// Words that bash makes of a command: its arguments, with a | after each.
std::string arguments_of(const std::string& command, const test::TemporaryFolder& folder) {
  const std::string script = folder.write("script", "for a in " + command + "; do printf '%s|' \"$a\"; done\n");
  FILE* pipe = popen(("bash '" + script + "'").c_str(), "r");
  std::string out;
  for (int c; (c = std::fgetc(pipe)) != EOF;) out += static_cast<char>(c);
  CHECK(pclose(pipe) == 0);
  return out;
}

}  // namespace

TEST_CASE("a shell reads back the arguments of a command") {
  const test::TemporaryFolder folder;
  const std::vector<std::string> arguments{
      "diopter", "--set",          "train.lr=0.05",         "two words",   "",
      "it's",    "a\"b$HOME`x`\\", "anchors.ratios=[1, 2]", "caf\xC3\xA9", "\xFF'\\\x01\n",
      "*"};
  std::string expected;
  for (const std::string& argument : arguments) expected += argument + "|";
  CHECK(arguments_of(shell_command(arguments), folder) == expected);
  CHECK(shell_command({"diopter", "--set", "train.lr=0.05", "a/b.json"}) == "diopter --set train.lr=0.05 a/b.json");
}

TEST_CASE("every start of a run is kept") {
  const test::TemporaryFolder folder;
  CHECK(read_starts(folder.path()).empty());
  append_start(folder.path(), start_of("first"));
  append_start(folder.path(), start_of("second"));
  const std::vector<Start> starts = read_starts(folder.path());
  REQUIRE(starts.size() == 2);
  CHECK(starts[0].command == "first");
  CHECK(starts[1].command == "second");
  CHECK(starts[1].folder == "/a b");
  CHECK(starts[1].machine == Facts{{"processor", "p"}, {"device", "cpu"}});
  CHECK(starts[1].versions == Facts{{"diopter", "1"}});
  CHECK(starts[1].data.empty());
}

TEST_CASE("an origin.json of something else is refused") {
  const test::TemporaryFolder folder;
  for (const char* text : {"", "[", "[1]", "{\"date\": 1}", "[{\"date\": \"d\"}]"}) {
    folder.write("origin.json", text);
    CHECK(error_of([&] { read_starts(folder.path()); }) ==
          folder / "origin.json" + std::string(": does not say how a run was started"));
  }
}
