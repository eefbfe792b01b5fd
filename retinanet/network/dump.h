// Dump of a detection: the network's values from input to boxes, for comparisons with other programs.
#pragma once

#include <string>
#include <vector>

#include "engine/files/checkpoint.h"
#include "retinanet/network/detect.h"

namespace diopter {

/// detect(model, batch), and in `dump`, each name with `prefix` before it:
///   input                     [N, H, W, 3]
///   C3 .. C5, P3 .. P7        [N, h, w, channels] of each level that there is
///   logits.P3 .., deltas.P3 ..  [N, h, w, cells * classes] and [N, h, w, cells * 4]
///   sizes, original_sizes     [N, 2] width and height in the input and in the file
///   boxes [n, 4], scores [n], labels [n] (class indices), pictures [n] (index in the batch)
/// Tensors are on the host, in the layout that the engine has them in.
std::vector<std::vector<DetectedBox>> detect_with_dump(const RetinaNet& model, const Batch& batch,
                                                       const std::string& prefix, Checkpoint& dump);

}  // namespace diopter
