#include "retinanet/weights/start.h"

#include "kernels/base/text.h"
#include "retinanet/weights/builtin_weights.h"
#include "retinanet/weights/weights.h"

namespace diopter {

bool starts_afresh(const Config& config) {
  const std::string& name = config.model.weights;
  return name.empty() || (name == kAutoWeights && !network_differences(builtin_weights(), config).empty());
}

std::string start(const RetinaNet& model, const std::vector<std::string>& classes) {
  const std::string& name = model.config().model.weights;
  if (name.empty()) return "";
  if (name != kAutoWeights) return join(load_into(model, read_weights(name), classes), "; ");
  const Weights weights = builtin_weights();
  const std::vector<std::string> other = network_differences(weights, model.config());
  if (!other.empty())
    return "model.weights = auto: " + weights.checkpoint.file + " is of another network (" + join(other) +
           "); this one starts afresh";
  return join(load_into(model, weights, classes), "; ");
}

}  // namespace diopter
