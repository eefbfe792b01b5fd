#include "kernels/detection/loss_functions.h"

#include "kernels/base/bf16.h"
#include "kernels/detection/loss_list.h"

namespace diopter::cpu {

template <class T>
LossFunctions<T> loss_functions(const AnyLoss& loss, const float* density_weights) {
  return std::visit([=](const auto& l) { return functions_of<T>(l, density_weights); }, loss);
}

template LossFunctions<float> loss_functions(const AnyLoss&, const float*);
template LossFunctions<bf16> loss_functions(const AnyLoss&, const float*);

}  // namespace diopter::cpu
