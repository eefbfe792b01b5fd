// The nodes between the heads' outputs and detections: what find_candidates and the Detector do, in ONNX's operators.
#pragma once

#include <vector>

#include "kernels/detection/anchors.h"
#include "retinanet/config/config.h"
#include "retinanet/onnx/graph.h"
#include "retinanet/onnx/input_nodes.h"

namespace diopter::onnx_export {

/// The heads' outputs, one per level: [N, cells * classes, h, w] and [N, cells * 4, h, w], of the activations' type.
struct HeadNodes {
  std::vector<Name> logits, deltas;
};

/// Adds the outputs `logits` [N, anchors, classes] and `deltas` [N, anchors, 4].
void add_raw_outputs(Graph& graph, const HeadNodes& heads, int classes);

/// Adds the input `original_sizes` and the outputs `boxes`, `scores`, `labels` and `counts`. `cells`: the anchors of a
/// pixel; the grid's sizes and, with anchors.stride = grid, its strides follow from the picture when the model runs.
/// `thresholds`: by class, or empty.
void add_detections(Graph& graph, const HeadNodes& heads, const InputNodes& input, const Config& config,
                    const AnchorGrid& cells, int classes, const std::vector<float>& thresholds);

}  // namespace diopter::onnx_export
