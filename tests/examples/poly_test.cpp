// Tests of what is particular to docs/adding_a_loss.md. Everything else is tested as for every other loss.
#include "tests/examples/losses/poly.h"

#include <algorithm>
#include <cmath>

#include "retinanet/config/loss_text.h"
#include "tests/support/catch.h"

namespace diopter {

TEST_CASE("poly: values") {
  CHECK(PolyLoss{1}(0.0, true).value == Approx(std::log(2.0) + 0.5));
  CHECK(PolyLoss{1}(0.0, false).derivative == Approx(0.5 + 0.25));
  CHECK(PolyLoss{2}(-3.0, true).value == Approx(3.04858735 + 2 * 0.95257413));
}

TEST_CASE("poly: is a loss like all others") {
  const std::vector<std::string> names = loss_names();
  CHECK(std::count(names.begin(), names.end(), "poly") == 1);
  CHECK(format_loss(parse_loss("poly:epsilon=2", "--loss")) == "poly:epsilon=2");
}

}  // namespace diopter
