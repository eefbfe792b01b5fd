#include "retinanet/onnx/graph.h"

#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstring>
#include <limits>
#include <type_traits>

#include "kernels/base/bf16.h"
#include "kernels/base/check.h"
#include "retinanet/onnx/half.h"

namespace diopter::onnx_export {

namespace {

constexpr int kIr = 8, kIrOfBf16 = 10;  // versions of the file format that go with the opsets

onnx::TensorProto::DataType type_of(Element type) {
  switch (type) {
    case Element::f32: return onnx::TensorProto::FLOAT;
    case Element::f16: return onnx::TensorProto::FLOAT16;
    case Element::bf16: return onnx::TensorProto::BFLOAT16;
    case Element::i64: return onnx::TensorProto::INT64;
    case Element::u8: return onnx::TensorProto::UINT8;
    case Element::boolean: return onnx::TensorProto::BOOL;
  }
  fail("no such type of elements");
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// As 16-bit numbers, rounded; Error where a finite number becomes infinite.
template <class T>
std::string rounded(const std::string& name, const std::vector<float>& values) {
  std::vector<T> result;
  result.reserve(values.size());
  for (const float value : values) {
    result.push_back(T(value));
    DIOPTER_CHECK(std::isfinite(static_cast<float>(result.back())), name, ": ", value,
                  " is too large a weight for this --precision");
  }
  return bytes_of(result);
}

void set_dimensions(onnx::ValueInfoProto& info, const Name& name, Element type, const Dimensions& dimensions) {
  info.set_name(name);
  onnx::TypeProto::Tensor& tensor = *info.mutable_type()->mutable_tensor_type();
  tensor.set_elem_type(type_of(type));
  tensor.mutable_shape();  // there is one, also where it has no dimensions
  for (const auto& dimension : dimensions) {
    onnx::TensorShapeProto::Dimension& added = *tensor.mutable_shape()->add_dim();
    if (const auto* size = std::get_if<std::int64_t>(&dimension)) {
      added.set_dim_value(*size);
    } else {
      added.set_dim_param(std::get<std::string>(dimension));
    }
  }
}

void add_attribute(onnx::NodeProto& node, const Attribute& attribute) {
  onnx::AttributeProto& added = *node.add_attribute();
  added.set_name(attribute.name);
  std::visit(
      [&](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::int64_t>) {
          added.set_type(onnx::AttributeProto::INT);
          added.set_i(value);
        } else if constexpr (std::is_same_v<T, float>) {
          added.set_type(onnx::AttributeProto::FLOAT);
          added.set_f(value);
        } else if constexpr (std::is_same_v<T, std::string>) {
          added.set_type(onnx::AttributeProto::STRING);
          added.set_s(value);
        } else {
          added.set_type(onnx::AttributeProto::INTS);
          for (const std::int64_t i : value) added.add_ints(i);
        }
      },
      attribute.value);
}

}  // namespace

struct Graph::Model {
  onnx::ModelProto proto;

  onnx::GraphProto& graph() { return *proto.mutable_graph(); }
  Name constant(const Name& name, Element type, const Shape& shape, std::string bytes) {
    onnx::TensorProto& tensor = *graph().add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(type_of(type));
    for (int i = 0; i < shape.rank(); ++i) tensor.add_dims(shape[i]);
    tensor.set_raw_data(std::move(bytes));
    return name;
  }
};

Graph::Graph(Element activations) : model_(std::make_unique<Model>()), activations_(activations) {
  const bool bf16 = activations == Element::bf16;
  onnx::ModelProto& proto = model_->proto;
  proto.set_ir_version(bf16 ? kIrOfBf16 : kIr);
  proto.set_producer_name("diopter");
  onnx::OperatorSetIdProto& opset = *proto.add_opset_import();
  opset.set_domain("");
  opset.set_version(bf16 ? kOpsetOfBf16 : kOpset);
  model_->graph().set_name("retinanet");
}

Graph::~Graph() = default;

Name Graph::fresh(const std::string& op) {
  std::string name = op;
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::tolower(c); });
  return name + "_" + std::to_string(names_++);
}

Name Graph::input(const Name& name, Element type, const Dimensions& dimensions) {
  set_dimensions(*model_->graph().add_input(), name, type, dimensions);
  return name;
}

void Graph::output(const Name& name, const Name& from, Element type, const Dimensions& dimensions) {
  onnx::NodeProto& node = *model_->graph().add_node();
  node.set_op_type("Identity");
  node.set_name(name);
  node.add_input(from);
  node.add_output(name);
  set_dimensions(*model_->graph().add_output(), name, type, dimensions);
}

std::vector<Name> Graph::add_outputs(const std::string& op, int outputs, const std::vector<Name>& inputs,
                                     const std::vector<Attribute>& attributes) {
  onnx::NodeProto& node = *model_->graph().add_node();
  const Name name = fresh(op);
  node.set_op_type(op);
  node.set_name(name);
  for (const Name& input : inputs) node.add_input(input);
  for (const Attribute& attribute : attributes) add_attribute(node, attribute);
  std::vector<Name> names;
  for (int i = 0; i < outputs; ++i) {
    names.push_back(outputs == 1 ? name : name + "_" + std::to_string(i));
    node.add_output(names.back());
  }
  return names;
}

Name Graph::add(const std::string& op, const std::vector<Name>& inputs, const std::vector<Attribute>& attributes) {
  return add_outputs(op, 1, inputs, attributes).front();
}

Name Graph::cast(const Name& x, Element type) { return add("Cast", {x}, {{"to", std::int64_t{type_of(type)}}}); }

Name Graph::integers(const std::vector<std::int64_t>& values) {
  return model_->constant(fresh("integers"), Element::i64, {std::ssize(values)}, bytes_of(values));
}

Name Graph::integer(std::int64_t value) {
  return model_->constant(fresh("integer"), Element::i64, {}, bytes_of(std::vector<std::int64_t>{value}));
}

Name Graph::real(float value) { return reals({}, {value}); }

Name Graph::reals(const Shape& shape, const std::vector<float>& values) {
  return model_->constant(fresh("reals"), Element::f32, shape, bytes_of(values));
}

Name Graph::weights(const std::string& name, Element type, const Shape& shape, const std::vector<float>& values) {
  const Name unique = weights_.insert(name).second ? name : fresh(name);
  std::string bytes = type == Element::f16    ? rounded<Half>(name, values)
                      : type == Element::bf16 ? rounded<bf16>(name, values)
                                              : bytes_of(values);
  return model_->constant(unique, type, shape, std::move(bytes));
}

void Graph::metadata(const std::string& key, const std::string& value) {
  onnx::StringStringEntryProto& entry = *model_->proto.add_metadata_props();
  entry.set_key(key);
  entry.set_value(value);
}

std::string Graph::bytes() const {
  const std::size_t size = model_->proto.ByteSizeLong();
  DIOPTER_CHECK(size <= static_cast<std::size_t>(std::numeric_limits<int>::max()), "the ONNX model would have ", size,
                " bytes, more than the 2 GiB of one protobuf message");
  return model_->proto.SerializeAsString();
}

}  // namespace diopter::onnx_export
