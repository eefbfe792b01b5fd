#include "data/pictures/output_names.h"

#include "tests/support/catch.h"

using diopter::OutputNames;

TEST_CASE("pictures of equal name get different output names", "[output_names]") {
  OutputNames names;
  CHECK(names.next("day/1.png") == "1.jpg");
  CHECK(names.next("night/1.png") == "1_2.jpg");
  CHECK(names.next("1.jpeg") == "1_3.jpg");
  CHECK(names.next("1_2.png") == "1_2_2.jpg");
  CHECK(names.next("a.b/c.d.png") == "c.d.jpg");
}

TEST_CASE("names of output files are no longer than file systems allow", "[output_names]") {
  OutputNames names;
  const std::string full(251, 'x');
  CHECK(names.next("a/" + full + ".png") == std::string(200, 'x') + ".jpg");
  CHECK(names.next("b/" + full + ".png") == std::string(200, 'x') + "_2.jpg");
  CHECK(names.next(std::string(200, 'y') + ".png") == std::string(200, 'y') + ".jpg");
  std::string text = "a";
  for (int i = 0; i < 120; ++i) text += "\xC3\xA4";
  const std::string name = names.next(text + ".png");  // 199 bytes and whole characters
  CHECK(name == text.substr(0, 199) + ".jpg");
}
