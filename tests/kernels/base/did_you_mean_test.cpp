#include "kernels/base/did_you_mean.h"

#include <string>
#include <vector>

#include "tests/support/catch.h"

TEST_CASE("the nearest name forgives typing errors only") {
  const std::vector<std::string> names = {"train", "evaluate", "detect", "shapes"};
  REQUIRE(diopter::nearest_name("trian", names) == "train");       // swapped
  REQUIRE(diopter::nearest_name("evalute", names) == "evaluate");  // left out
  REQUIRE(diopter::nearest_name("detects", names) == "detect");    // too many
  REQUIRE(diopter::nearest_name("shape", names) == "shapes");
  REQUIRE(diopter::nearest_name("benchmark", names) == "");
  REQUIRE(diopter::nearest_name("train", {}) == "");
  // Half of the name's letters may be wrong, also where the lengths alone say so; of equally near ones it is the first.
  REQUIRE(diopter::nearest_name("abcdxy", {"abcd"}) == "abcd");
  REQUIRE(diopter::nearest_name("abcdxyz", {"abcd"}) == "");
  REQUIRE(diopter::nearest_name("ab", {"abcd"}) == "abcd");
  REQUIRE(diopter::nearest_name("ab", {"abcdef", "abcd"}) == "abcd");
  REQUIRE(diopter::nearest_name("abcd", {"abcdef", "abcx", "abcy"}) == "abcx");
}

TEST_CASE("the hint after an unknown name") {
  const std::vector<std::string> names = {"train", "detect"};
  CHECK(diopter::hint("trian", names) == "; the nearest is train");
  CHECK(diopter::hint("benchmark", names) == "");
  CHECK(diopter::hint_with_list("trian", names) == "; the nearest is train (there are train, detect)");
  CHECK(diopter::hint_with_list("benchmark", names) == " (there are train, detect)");
  CHECK(diopter::hint_with_list("x", {}) == " (there are none)");
}
