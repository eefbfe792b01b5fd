// An ONNX model in the making: its graph, inputs, outputs and metadata, in ONNX's own protobuf messages.
#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "engine/tensor.h"

namespace diopter::onnx_export {

/// Name of a value of the graph.
using Name = std::string;

enum class Element { f32, f16, bf16, i64, u8, boolean };

struct Attribute {
  std::string name;
  std::variant<std::int64_t, std::vector<std::int64_t>, float, std::string> value;
};

/// Sizes of an input or output: a number, or the name of a size that is known when the model runs.
using Dimensions = std::vector<std::variant<std::int64_t, std::string>>;

/// The operators are those of opset kOpset, or with bf16 of kOpsetOfBf16, the first whose convolutions take it.
inline constexpr int kOpset = 17, kOpsetOfBf16 = 22;

class Graph {
 public:
  /// `activations`: f32, f16 or bf16, in which a network computes and its weights are stored.
  explicit Graph(Element activations);
  ~Graph();
  Graph(const Graph&) = delete;

  Element activations() const { return activations_; }

  Name input(const Name& name, Element type, const Dimensions& dimensions);
  /// Makes the value `from` an output that is called `name`.
  void output(const Name& name, const Name& from, Element type, const Dimensions& dimensions);

  /// A node with one output, or several.
  Name add(const std::string& op, const std::vector<Name>& inputs, const std::vector<Attribute>& attributes = {});
  std::vector<Name> add_outputs(const std::string& op, int outputs, const std::vector<Name>& inputs,
                                const std::vector<Attribute>& attributes = {});
  Name cast(const Name& x, Element type);
  /// From f32 to the activations' type and back; x itself where they are f32.
  Name to_activations(const Name& x) { return activations_ == Element::f32 ? x : cast(x, activations_); }
  Name from_activations(const Name& x) { return activations_ == Element::f32 ? x : cast(x, Element::f32); }

  /// Constants; `values` are in the order of the shape. An integer or a float alone is a tensor without dimensions.
  Name integers(const std::vector<std::int64_t>& values);  // [values]
  Name integer(std::int64_t value);
  Name real(float value);
  Name reals(const Shape& shape, const std::vector<float>& values);
  /// A parameter of the network in f32, f16 or bf16, called `name`, with a number behind it where that is taken. Throws
  /// Error for a value that is too large for the type.
  Name weights(const std::string& name, Element type, const Shape& shape, const std::vector<float>& values);

  void metadata(const std::string& key, const std::string& value);

  /// The model as the bytes of a file. Throws Error when they would be more than protobuf's 2 GiB.
  std::string bytes() const;

 private:
  struct Model;
  Name fresh(const std::string& op);

  std::unique_ptr<Model> model_;
  Element activations_;
  int names_ = 0;
  std::set<Name> weights_;
};

}  // namespace diopter::onnx_export
