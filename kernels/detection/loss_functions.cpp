#include "kernels/detection/loss_functions.h"

#include "kernels/detection/loss_list.h"

namespace diopter::cpu {

LossFunctions loss_functions(const AnyLoss& loss, const float* density_weights) {
  return std::visit([=](const auto& l) { return functions_of(l, density_weights); }, loss);
}

}  // namespace diopter::cpu
