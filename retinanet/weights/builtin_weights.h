// The weights that the program has in itself: of the preset `small`, learned on `diopter shapes --rich`
// (docs/recipe.md#built-in-weights).
#pragma once

#include "retinanet/weights/weights.h"

namespace diopter {

/// A checkpoint with classes and configuration like any other; messages call its file "the built-in small.safetensors".
Weights builtin_weights();

}  // namespace diopter
