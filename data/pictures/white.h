// Which sample is white in pictures of more than 8 bits: many cameras fill only 10, 12 or 14 of 16.
#pragma once

#include "data/dataset.h"

namespace diopter {

/// The greatest sample of 10, 12, 14 or 16 bits: the least of 1023, 4095, 16383 and 65535 that is not below `greatest`.
int full_scale(int greatest);

/// full_scale of the greatest sample in the set's pictures of more than 8 bits, kFullRange where there are none. Looks
/// at up to 64 pictures, spread evenly over the set; those that cannot be read are passed over.
int full_scale_of(const Dataset& dataset);

}  // namespace diopter
