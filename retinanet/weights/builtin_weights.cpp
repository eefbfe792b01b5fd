#include "retinanet/weights/builtin_weights.h"

#include <string_view>

namespace diopter {

std::string_view builtin_small_bytes();  // written by cmake/EmbedFiles.cmake

Weights builtin_weights() {
  return weights_of(parse_checkpoint(builtin_small_bytes(), "the built-in small.safetensors"));
}

}  // namespace diopter
