#include "data/readers/picture_names.h"

#include "tests/support/catch.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("keys of names are equal however the name is written") {
  CHECK(name_key("A.JPG") == name_key("a.jpg"));
  CHECK(name_key("d%C3%A9cran.png") == name_key("d\u00e9cran.png"));
  CHECK(name_key("d\u00e9cran.png") == name_key("de\u0301cran.png"));
  CHECK(name_key("\u00c9") == name_key("e\u0301"));
  CHECK(name_key("\u1ec7") == name_key("e\u0323\u0302"));  // two marks
  CHECK(name_key("\uac01") == name_key("\u1100\u1161\u11a8"));
  CHECK(name_key("\u304c") == name_key("\u304b\u3099"));
  CHECK(name_key("\u03b1") != name_key("\u02b1"));        // of two bytes, the second the same
  CHECK(name_key("\U0001f600.png") == "\U0001f600.png");  // of four
  CHECK(name_key("a\\b.png") == name_key("a/b.png"));
  CHECK(name_key("100%.png") != name_key("100.png"));
  CHECK(name_key("\xE9.png") != name_key("e.png"));  // bytes that are no UTF-8 stay
  CHECK(name_key("\xE9.png") == "\xE9.png");
}

TEST_CASE("pictures are found under names of other programs and machines") {
  const TemporaryFolder folder;
  for (const char* file : {"a.jpg", "x/001.png", "y/001.png", "x/b.png", "c.tif", "d.jpg"}) folder.write(file, "");
  ReadLog log("set", false);
  PictureNames pictures(folder.path(), log);
  const auto find = [&](const std::string& name) {
    return std::filesystem::path(pictures.find(name, "images[0]")).lexically_relative(folder.path()).string();
  };
  CHECK(find("a.jpg") == "a.jpg");
  CHECK(find("x/001.png") == "x/001.png");
  Dataset exact;
  log.report(exact);
  CHECK(exact.findings.empty());

  CHECK(find("A.JPG") == "a.jpg");
  CHECK(find("images\\a.jpg") == "a.jpg");
  CHECK(find("C:\\Users\\me\\x\\b.png") == "x/b.png");
  CHECK(find("/data/upload/1/a.jpg") == "a.jpg");
  CHECK(find("http://example.org/x/a.jpg?d=1") == "a.jpg");
  CHECK(find("d") == "d.jpg");              // Open Images
  CHECK(find("d.png") == "d.jpg");          // another extension
  CHECK(find("z/001.png") == "z/001.png");  // two could be meant
  CHECK(find("none.jpg") == "none.jpg");
  Dataset found;
  log.report(found);
  REQUIRE(found.findings.size() == 1);
  CHECK(found.findings[0].kind == "picture_name");
  CHECK(found.findings[0].count == 7);
  CHECK(found.findings[0].places.at(0) == "images[0]: 'A.JPG' is a.jpg");
}

TEST_CASE("names without an extension take the usual ones where several files fit") {
  const TemporaryFolder folder;
  for (const char* name : {"a.png", "a.jpg", "b.png", "b.gif", "c.gif", "c.bmp", "d.gif"}) folder.write(name, "");
  ReadLog findings("x", false);
  PictureNames names(folder.path(), findings);
  CHECK(names.find("a", "here") == folder.path("a.jpg"));
  CHECK(names.find("b", "here") == folder.path("b.png"));
  CHECK(names.find("c", "here") == folder.path("c"));
  CHECK(names.find("d", "here") == folder.path("d.gif"));
  CHECK(names.find("a.gif", "here") == folder.path("a.gif"));  // a wrong extension does not choose between two
}
