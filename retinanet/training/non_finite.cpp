#include "retinanet/training/non_finite.h"

#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "retinanet/network/input.h"

namespace diopter {

std::string non_finite_cause(const RetinaNet& model, const std::vector<Batch>& batches) {
  std::string cause;
  std::vector<std::string> pictures;
  for (const Batch& batch : batches) {
    pictures.insert(pictures.end(), batch.names.begin(), batch.names.end());
    try {
      FiniteCheck check;
      if (cause.empty()) model(input_of(batch, model.device()));
    } catch (const Error& error) {
      cause = error.what();
    }
  }
  if (cause.empty()) cause = "every output of the network is finite";
  return cause + "; pictures: " + join(pictures);
}

}  // namespace diopter
