// The nodes of a network, from the trace of a forward pass. Maps are [N, C, H, W] in ONNX, with N, H and W open.
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/trace.h"
#include "retinanet/onnx/graph.h"

namespace diopter::onnx_export {

/// Adds the traced operations, whose first input is `images`, called `name` and of the graph's activations. A Pyramid
/// becomes a value per level; the levels share their weights. Fixed maps (frozen and evaluated batch norms) are
/// multiplied into the weights before them. Group norms compute in float.
class NetworkNodes {
 public:
  NetworkNodes(Graph& graph, const Trace& trace, const Tensor& images, const Name& name);

  /// The names of a traced value: one of a map, one per level of a Pyramid. Throws Error for a value that no traced
  /// operation made.
  const std::vector<Name>& names(const Tensor& value) const;

 private:
  void add(const traced::Convolution& operation);
  void add(const traced::ActivationOf& operation);
  void add(const traced::Sum& operation);
  void add(const traced::ChannelAffine& operation);
  void add(const traced::GroupNorm& operation);
  void add(const traced::MaxPool& operation);
  void add(const traced::Upsampling& operation);
  void add(const traced::Levels& operation);

  /// Makes y of x, level by level: `node` gets the name of a level of x.
  template <class Node>
  void each_level(const Tensor& x, const Tensor& y, const Node& node);
  /// Numbers by channel, [channels, 1, 1] floats: what Mul and Add take beside maps.
  Name by_channel(const std::string& name, const Tensor& values);
  /// The constant that is made of these two addresses: a module may be called several times.
  template <class Make>
  Name once(const void* of, const void* and_of, const Make& make);

  Graph& graph_;
  std::map<const void*, std::vector<Name>> names_;
  std::map<std::pair<const void*, const void*>, Name> made_;
};

}  // namespace diopter::onnx_export
