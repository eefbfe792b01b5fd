// docs/data.md names every kind of oddity that readers count, under what happens to it.
#include <fstream>
#include <regex>
#include <sstream>
#include <string>

#include "generated/source_dir.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter::test;

TEST_CASE("data.md: every kind of odd annotation stands in the table of what happens to it") {
  const std::string source = read_bytes(DIOPTER_SOURCE_DIR "/data/readers/reading.h");
  const std::string page = read_bytes(DIOPTER_SOURCE_DIR "/docs/data.md");
  const std::size_t others = page.find("| kind | read as |");
  REQUIRE(others != std::string::npos);
  const std::regex oddity(R"re(Oddity k\w+\{\s*"(\w+)",\s*"[^"]*",\s*(true|false)\})re");
  int kinds = 0;
  for (std::sregex_iterator it(source.begin(), source.end(), oddity), end; it != end; ++it, ++kinds) {
    const std::size_t place = page.find("`" + (*it)[1].str() + "`");
    INFO((*it)[1].str());
    REQUIRE(place != std::string::npos);
    CHECK((place < others) == ((*it)[2].str() == "true"));
  }
  CHECK(kinds > 20);
}
