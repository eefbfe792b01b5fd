// What pictures of a rich set have beside shapes on a smooth ground: patterns, and the light and lens that they were
// seen with. Pictures are size x size pixels of three channels, from 0 to 1; beyond them a pixel may be lighter than 1.
#pragma once

#include <vector>

#include "kernels/base/philox.h"

namespace diopter {

/// Adds areas of other colours with ragged outlines, clouds, grain and stripes to the ground.
void add_patterns(int size, Philox& random, std::vector<float>& ground);

/// As if photographed: lighter or darker, tinted, with light from one side, and more or less out of focus.
void photograph(int size, Philox& random, std::vector<float>& rgb);

}  // namespace diopter
