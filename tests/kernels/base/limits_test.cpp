#include "kernels/base/limits.h"

#include "generated/source_dir.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("docs/formats.md holds the table of limits") {
  std::string table = "| file | limit | at most |\n|---|---|---|\n";
  for (const Limit* limit : limits::kAll) {
    table += std::string("| ") + limit->file + " | " + limit->of + " | " + std::to_string(limit->value) + " |\n";
  }
  INFO("it should be\n" << table);
  CHECK(contains(read_bytes(DIOPTER_SOURCE_DIR "/docs/formats.md"), "\n\n" + table));
}

TEST_CASE("what exceeds a limit is refused with what it is and how much there may be") {
  const Limit three{"test", "things", 3};
  CHECK(error_of([&] { check_limit(three, 3, "a.x"); }).empty());
  CHECK(error_of([&] { check_limit(three, 4, "a.x: line 7"); }) == "a.x: line 7: things: 4, at most 3");
}

TEST_CASE("memory that a file may take") {
  CHECK(limits::memory(0) == std::int64_t{256} << 20);
  CHECK(limits::memory(1000) - limits::memory(0) == 64000);
}
