#include "retinanet/onnx/input_nodes.h"

namespace diopter::onnx_export {

namespace {

/// [N, H, W, 3] bytes or [N, 3, H, W] of 0..1, both in the order red, green, blue, as [N, 3, H, W] of 0..255.
Name add_pictures(Graph& graph, OnnxOptions::Pictures pictures) {
  switch (pictures) {
    case OnnxOptions::Pictures::bytes: {
      const Name bytes = graph.input("images", Element::u8, {"batch", "height", "width", std::int64_t{3}});
      return graph.cast(graph.add("Transpose", {bytes}, {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}}),
                        Element::f32);
    }
    case OnnxOptions::Pictures::floats: {
      const Name floats = graph.input("images", Element::f32, {"batch", std::int64_t{3}, "height", "width"});
      return graph.add("Mul", {floats, graph.real(255)});
    }
  }
  fail("no such kind of pictures");
}

Name normalised(Graph& graph, const Config::Input& rule, Name x) {
  const auto by_channel = [&](const std::vector<double>& values) {
    return graph.reals({3, 1, 1}, std::vector<float>(values.begin(), values.end()));
  };
  if (rule.bgr) x = graph.add("Gather", {x, graph.integers({2, 1, 0})}, {{"axis", std::int64_t{1}}});
  x = graph.add("Div", {x, graph.real(static_cast<float>(rule.divisor))});
  return graph.add("Div", {graph.add("Sub", {x, by_channel(rule.mean)}), by_channel(rule.std)});
}

/// Whether positions 0 .. length - 1 of an axis lie inside each picture, in the shape of `shape`.
Name inside(Graph& graph, const Name& length, const Name& sizes, std::int64_t column,
            const std::vector<std::int64_t>& shape) {
  const Name positions = graph.add("Range", {graph.integer(0), length, graph.integer(1)});
  const Name ends = graph.add("Gather", {sizes, graph.integers({column})}, {{"axis", std::int64_t{1}}});  // [N, 1]
  return graph.add("Reshape", {graph.add("Less", {graph.cast(positions, Element::f32), ends}), graph.integers(shape)});
}

}  // namespace

Name add_sizes(Graph& graph, const Name& name) {
  const Name sizes = graph.input(name, Element::i64, {"batch", std::int64_t{2}});
  return graph.cast(graph.add("Gather", {sizes, graph.integers({1, 0})}, {{"axis", std::int64_t{1}}}), Element::f32);
}

InputNodes add_input(Graph& graph, const Config::Input& rule, OnnxOptions::Pictures pictures) {
  const Name x = normalised(graph, rule, add_pictures(graph, pictures));
  const Name sizes = add_sizes(graph, "sizes");

  const Name shape = graph.add("Shape", {x});
  const auto length = [&](std::int64_t axis) { return graph.add("Gather", {shape, graph.integer(axis)}); };
  const Name seen = graph.add(
      "And", {inside(graph, length(2), sizes, 1, {0, 1, -1, 1}), inside(graph, length(3), sizes, 0, {0, 1, 1, -1})});
  const Name picture = graph.add("Where", {seen, x, graph.real(0)});

  // Up to the next multiple: -size mod divisor more, at the lower right.
  const Name size = graph.add("Shape", {x}, {{"start", std::int64_t{2}}});
  const Name more = graph.add("Mod", {graph.add("Neg", {size}), graph.integer(rule.size_divisor)});
  const Name pads = graph.add("Concat", {graph.integers({0, 0, 0, 0, 0, 0}), more}, {{"axis", std::int64_t{0}}});
  return {graph.to_activations(graph.add("Pad", {picture, pads})), graph.add("Add", {size, more}), sizes};
}

}  // namespace diopter::onnx_export
