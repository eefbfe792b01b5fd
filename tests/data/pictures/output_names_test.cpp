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
