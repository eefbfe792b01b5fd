#include "kernels/detection/loss_functions.h"

#include "kernels/base/bf16.h"
#include "kernels/detection/loss_list.h"

namespace diopter::cpu {

template <class T>
LossFunctions<T> loss_functions(const AnyLoss& loss) {
  return std::visit([](const auto& l) { return functions_of<T>(l); }, loss);
}

template LossFunctions<float> loss_functions(const AnyLoss&);
template LossFunctions<bf16> loss_functions(const AnyLoss&);

}  // namespace diopter::cpu
