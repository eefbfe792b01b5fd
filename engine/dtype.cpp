#include "engine/dtype.h"

namespace diopter {

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::bf16: return 2;
    case DType::u8: return 1;
    default: return 4;
  }
}

const char* name_of(DType dtype) {
  switch (dtype) {
    case DType::f32: return "f32";
    case DType::bf16: return "bf16";
    case DType::i32: return "i32";
    default: return "u8";
  }
}

}  // namespace diopter
