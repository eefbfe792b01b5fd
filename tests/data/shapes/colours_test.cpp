#include "data/shapes/colours.h"

#include <algorithm>

#include "tests/support/catch.h"

using namespace diopter;

namespace {

/// Index of the name whose colours have these channels high; without a nearer look at saturation.
int name_of(const Colour& colour) {
  constexpr bool kHigh[][3] = {{true, false, false}, {false, true, false}, {false, false, true},
                               {true, true, false},  {true, false, true},  {false, true, true}};
  const float most = std::max({colour[0], colour[1], colour[2]});
  for (int name = 0; name < 6; ++name) {
    bool all = true;
    for (int c = 0; c < 3; ++c) all = all && (colour[c] > 0.6f * most) == kHigh[name][c];
    if (all) return name;
  }
  return -1;
}

}  // namespace

TEST_CASE("colours of different names can be told apart") {
  Philox random(3, 0);
  for (int i = 0; i < 600; ++i) REQUIRE(name_of(draw_named_colour(i % 6, random)) == i % 6);
}
