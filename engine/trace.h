// What a network computes, as a list of operations, for those who translate it into another form (retinanet/onnx).
#pragma once

#include <variant>
#include <vector>

#include "engine/conv2d_params.h"
#include "kernels/nn/elementwise.h"

namespace diopter {

/// The operations of engine/ops.h as they were called. x, ... -> y are feature maps [N, H, W, C], or the rows [rows, C]
/// of a Pyramid. A value is the same one as another when both have the same address.
namespace traced {

struct Convolution {
  Tensor x, y;
  Variable w;
  Conv2dParams params;
};
struct ActivationOf {
  Tensor x, y;
  Activation function;
};
struct Sum {
  Tensor a, b, y;
};
struct ChannelAffine {
  Tensor x, y, scale, shift;
};
struct GroupNorm {
  Tensor x, y;
  Variable gamma, beta;
  int groups;
  float eps;
  bool relu;
};
struct MaxPool {
  Tensor x, y;
  int kernel, stride, padding;
};
/// To the height and width of `like`.
struct Upsampling {
  Tensor x, y, like;
};
/// Feature maps become the levels of a Pyramid.
struct Levels {
  std::vector<Tensor> maps;
  Tensor y;
};

using Operation = std::variant<Convolution, ActivationOf, Sum, ChannelAffine, GroupNorm, MaxPool, Upsampling, Levels>;

}  // namespace traced

/// While it lives, it lists the operations of its thread in the order of their calls (the innermost one, when there are
/// several) and keeps their values alive. Casts, batch norms by the batch's statistics, sums over all elements, losses
/// and upsampling to a size in numbers are not listed: their outputs then come from nowhere.
class Trace {
 public:
  Trace();
  ~Trace();
  Trace(const Trace&) = delete;

  /// The one that lives, or null.
  static Trace* current();

  void add(traced::Operation operation) { operations_.push_back(std::move(operation)); }
  const std::vector<traced::Operation>& operations() const { return operations_; }

 private:
  std::vector<traced::Operation> operations_;
  Trace* outer_;
};

}  // namespace diopter
