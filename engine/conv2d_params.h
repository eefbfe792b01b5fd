// What a convolution is asked for beside its weights.
#pragma once

#include "engine/tape.h"

namespace diopter {

struct Conv2dParams {
  int stride = 1;
  int padding = 0;
  Variable bias = {};      // [out], or undefined
  Tensor scale = {};       // [out], constant (a frozen norm), or undefined
  Variable residual = {};  // as the output, or undefined
  bool relu = false;
  bool float_output = false;  // y is float, also where x is bf16
};

}  // namespace diopter
