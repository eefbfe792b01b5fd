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
}
