// Tests of what is particular to docs/adding_a_loss.md. Everything else is tested as for every other loss.
#include "tests/examples/losses/gce.h"

#include <algorithm>
#include <cmath>

#include "retinanet/config/loss_text.h"
#include "tests/support/catch.h"

namespace diopter {

TEST_CASE("gce: values") {
  CHECK(GceLoss{1}(0.0, true).value == Approx(0.5));
  CHECK(GceLoss{0.5f}(0.0, false).value == Approx(2 * (1 - std::sqrt(0.5))));
  CHECK(GceLoss{0.5f}(0.0, false).derivative == Approx(std::sqrt(0.5) * 0.5));
}

TEST_CASE("gce: is a loss like all others") {
  const std::vector<std::string> names = loss_names();
  CHECK(std::count(names.begin(), names.end(), "gce") == 1);
  CHECK(format_loss(parse_loss("gce:k=0.5", "--loss")) == "gce:k=0.5");
}

}  // namespace diopter
