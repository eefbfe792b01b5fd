// Post-mortem of a step whose loss or gradient is not finite.
#pragma once

#include <string>
#include <vector>

#include "data/loader.h"
#include "engine/distributed/communicator.h"
#include "retinanet/network/retinanet.h"

namespace diopter {

/// "the output of LAYER has ...; pictures: a.jpg, b.jpg": runs the model over the step's batches once more, watching
/// every layer, until one gives a value that is not finite. With several ranks, each of which has some of the batches,
/// all get what the first of them found that found such a layer.
std::string non_finite_cause(const RetinaNet& model, const std::vector<Batch>& batches,
                             Communicator& ranks = single_process());

}  // namespace diopter
