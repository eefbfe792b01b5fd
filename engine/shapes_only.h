// The shapes of a computation without the computation: which convolutions a network asks for.
#pragma once

#include <vector>

#include "engine/dtype.h"
#include "kernels/nn/conv2d/conv2d_args.h"

namespace diopter {

/// A convolution as an operation asks for it.
struct ConvolutionCall {
  Conv2dShape shape;
  DType input, output;
  bool scale, bias, residual, relu;     // parts of its epilogue
  bool data_gradient, weight_gradient;  // what the way back computes, in the input's type
};

/// While it lives, operations of this thread make outputs of the right shapes whose values are not set: no kernel runs.
/// Memory that nothing is written to is only reserved. The convolutions are listed in the order of their calls.
class ShapesOnly {
 public:
  ShapesOnly();
  ~ShapesOnly();
  ShapesOnly(const ShapesOnly&) = delete;

  /// The one that lives, or null.
  static ShapesOnly* current();

  void add(const ConvolutionCall& call) { convolutions_.push_back(call); }
  const std::vector<ConvolutionCall>& convolutions() const { return convolutions_; }

 private:
  std::vector<ConvolutionCall> convolutions_;
  ShapesOnly* outer_;
};

}  // namespace diopter
