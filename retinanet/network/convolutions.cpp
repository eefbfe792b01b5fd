#include "retinanet/network/convolutions.h"

#include <optional>

#include "retinanet/network/retinanet.h"

namespace diopter {

std::vector<ConvolutionCall> convolutions_of(const Config& config, int classes, DType precision, bool training,
                                             int height, int width) {
  const ShapesOnly shapes;
  RetinaNet network(config, classes, InitialWeights::unset);
  network.set_precision(precision);
  network.set_training(training);
  std::optional<Tape> tape;
  if (training) tape.emplace();
  network(Variable(Tensor::empty({1, height, width, 3})));
  return shapes.convolutions();
}

}  // namespace diopter
