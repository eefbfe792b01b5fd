// The nodes between the pictures that a user feeds and the network's input.
#pragma once

#include "retinanet/config/config.h"
#include "retinanet/onnx/graph.h"
#include "retinanet/onnx/options.h"

namespace diopter::onnx_export {

struct InputNodes {
  Name images;  // [N, 3, H, W] of the activations' type: normalised, zeros beside the pictures, padded
  Name padded;  // H and W of it, [2]
  Name sizes;   // [N, 2] float: width and height of the pictures
};

/// Adds the inputs `images` and `sizes`, and what normalises the pictures (kernels/nn/pictures.h), puts zeros where a
/// batch reaches beyond them and pads to multiples of input.size_divisor.
InputNodes add_input(Graph& graph, const Config::Input& rule, OnnxOptions::Pictures pictures);

/// An input [N, 2] of integers, height and width, as floats in the order width, height.
Name add_sizes(Graph& graph, const Name& name);

}  // namespace diopter::onnx_export
