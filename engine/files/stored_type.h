// Element types of files that hold tensors, under safetensors' names, and what they become in memory.
#pragma once

#include <string>

#include "engine/tensor.h"

namespace diopter {

/// Bytes of an element of type F64, F32, F16, BF16, I64, I32 or U8; 0 for any other name.
std::size_t stored_size(const std::string& type);

/// A tensor of the elements at `bytes`, which need no alignment. F64 and F16 become f32 (rounded to nearest), I64
/// becomes i32; the other types stay.
Tensor from_stored(const std::string& type, const Shape& shape, const char* bytes);

}  // namespace diopter
