#include "retinanet/onnx/network_nodes.h"

#include <algorithm>

#include "kernels/base/check.h"

namespace diopter::onnx_export {

namespace {

/// Weights [out, k, k, in], times the scale of a fixed norm behind them, as ONNX has them: [out, in, k, k].
std::vector<float> channels_first(const Tensor& w, const Tensor& scale) {
  const std::vector<float> values = w.to_vector<float>();
  const std::vector<float> factors = scale.defined() ? scale.to_vector<float>() : std::vector<float>();
  const Shape& shape = w.shape();
  const std::int64_t taps = shape[1] * shape[2], in = shape[3];
  std::vector<float> result;
  result.reserve(values.size());
  for (std::int64_t out = 0; out < shape[0]; ++out) {
    const float factor = factors.empty() ? 1.0f : factors[out];
    for (std::int64_t c = 0; c < in; ++c) {
      for (std::int64_t tap = 0; tap < taps; ++tap) result.push_back(values[(out * taps + tap) * in + c] * factor);
    }
  }
  return result;
}

}  // namespace

NetworkNodes::NetworkNodes(Graph& graph, const Trace& trace, const Tensor& images, const Name& name) : graph_(graph) {
  names_[images.raw()] = {name};
  for (const traced::Operation& operation : trace.operations()) {
    std::visit([this](const auto& o) { add(o); }, operation);
  }
}

const std::vector<Name>& NetworkNodes::names(const Tensor& value) const {
  const auto found = names_.find(value.raw());
  DIOPTER_CHECK(found != names_.end(), "the network computes a value ", value.shape().str(),
                " by an operation that cannot be exported: engine/trace.h lists those that can");
  return found->second;
}

template <class Node>
void NetworkNodes::each_level(const Tensor& x, const Tensor& y, const Node& node) {
  std::vector<Name> results;
  for (const Name& level : names(x)) results.push_back(node(level));
  names_[y.raw()] = results;
}

template <class Make>
Name NetworkNodes::once(const void* of, const void* and_of, const Make& make) {
  const auto [found, is_new] = made_.try_emplace({of, and_of});
  if (is_new) found->second = make();
  return found->second;
}

Name NetworkNodes::by_channel(const std::string& name, const Tensor& values) {
  return once(values.raw(), nullptr, [&] {
    return graph_.weights(name, Element::f32, {values.size(), 1, 1}, values.to_vector<float>());
  });
}

void NetworkNodes::add(const traced::Convolution& o) {
  const Tensor w = o.w.value();
  const Shape shape = w.shape();
  const void* scale = o.params.scale.defined() ? o.params.scale.raw() : nullptr;
  std::vector<Name> inputs{"", once(w.raw(), scale, [&] {
                             return graph_.weights(o.w.name(), graph_.activations(),
                                                   {shape[0], shape[3], shape[1], shape[2]},
                                                   channels_first(w, o.params.scale));
                           })};
  if (const Variable& bias = o.params.bias; bias.defined()) {
    inputs.push_back(once(bias.value().raw(), nullptr, [&] {
      return graph_.weights(bias.name().empty() ? o.w.name() + ".shift" : bias.name(), graph_.activations(), {shape[0]},
                            bias.value().to_vector<float>());
    }));
  }
  const std::int64_t stride = o.params.stride, padding = o.params.padding;
  each_level(o.x, o.y, [&](const Name& x) {
    inputs[0] = x;
    Name y = graph_.add("Conv", inputs,
                        {{"kernel_shape", std::vector<std::int64_t>{shape[1], shape[2]}},
                         {"strides", std::vector<std::int64_t>{stride, stride}},
                         {"pads", std::vector<std::int64_t>(4, padding)}});
    if (o.params.residual.defined()) y = graph_.add("Add", {y, names(o.params.residual.value()).front()});
    return o.params.relu ? graph_.add("Relu", {y}) : y;
  });
}

void NetworkNodes::add(const traced::ActivationOf& o) {
  const char* op = nullptr;
  switch (o.function) {
    case Activation::relu: op = "Relu"; break;
    case Activation::sigmoid: op = "Sigmoid"; break;
  }
  each_level(o.x, o.y, [&](const Name& x) { return graph_.add(op, {x}); });
}

void NetworkNodes::add(const traced::Sum& o) {
  std::size_t level = 0;
  each_level(o.a, o.y, [&](const Name& a) { return graph_.add("Add", {a, names(o.b)[level++]}); });
}

void NetworkNodes::add(const traced::ChannelAffine& o) {
  const Name scale = by_channel("scale", o.scale), shift = by_channel("shift", o.shift);
  each_level(o.x, o.y, [&](const Name& x) {
    const Name y = graph_.add("Mul", {graph_.from_activations(x), scale});
    return graph_.to_activations(graph_.add("Add", {y, shift}));
  });
}

// Opset 17 has no group norm; an instance norm of the groups, each as one channel, has the same statistics.
void NetworkNodes::add(const traced::GroupNorm& o) {
  const Name gamma = by_channel(o.gamma.name(), o.gamma.value()), beta = by_channel(o.beta.name(), o.beta.value());
  const Name ones = graph_.reals({o.groups}, std::vector<float>(o.groups, 1.0f));
  const Name zeros = graph_.reals({o.groups}, std::vector<float>(o.groups, 0.0f));
  const Name grouped = graph_.integers({0, o.groups, -1});
  each_level(o.x, o.y, [&](const Name& level) {
    const Name x = graph_.from_activations(level);
    const Name normed =
        graph_.add("InstanceNormalization", {graph_.add("Reshape", {x, grouped}), ones, zeros}, {{"epsilon", o.eps}});
    Name y = graph_.add("Reshape", {normed, graph_.add("Shape", {x})});
    y = graph_.add("Add", {graph_.add("Mul", {y, gamma}), beta});
    if (o.relu) y = graph_.add("Relu", {y});
    return graph_.to_activations(y);
  });
}

void NetworkNodes::add(const traced::MaxPool& o) {
  const std::int64_t kernel = o.kernel, stride = o.stride, padding = o.padding;
  each_level(o.x, o.y, [&](const Name& x) {
    return graph_.add("MaxPool", {x},
                      {{"kernel_shape", std::vector<std::int64_t>(2, kernel)},
                       {"strides", std::vector<std::int64_t>(2, stride)},
                       {"pads", std::vector<std::int64_t>(4, padding)}});
  });
}

void NetworkNodes::add(const traced::Upsampling& o) {
  each_level(o.x, o.y, [&](const Name& x) {
    const Name size = graph_.add("Concat",
                                 {graph_.add("Shape", {x}, {{"end", std::int64_t{2}}}),
                                  graph_.add("Shape", {names(o.like).front()}, {{"start", std::int64_t{2}}})},
                                 {{"axis", std::int64_t{0}}});
    return graph_.add(
        "Resize", {x, "", "", size},
        {{"mode", "nearest"}, {"coordinate_transformation_mode", "asymmetric"}, {"nearest_mode", "floor"}});
  });
}

void NetworkNodes::add(const traced::Levels& o) {
  std::vector<Name> levels;
  for (const Tensor& map : o.maps) levels.push_back(names(map).front());
  names_[o.y.raw()] = levels;
}

}  // namespace diopter::onnx_export
