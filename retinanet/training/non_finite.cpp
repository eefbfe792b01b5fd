#include "retinanet/training/non_finite.h"

#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "retinanet/network/input.h"

namespace diopter {

std::string non_finite_cause(const RetinaNet& model, const std::vector<Batch>& batches, Communicator& ranks) {
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
  const bool found = !cause.empty();
  const std::string mine = (found ? cause : "every output of the network is finite") + "; pictures: " + join(pictures);
  std::vector<std::string> found_by = ranks.gather(found ? mine : "");
  std::erase(found_by, "");
  return found_by.empty() ? ranks.gather(mine)[0] : found_by[0];
}

}  // namespace diopter
