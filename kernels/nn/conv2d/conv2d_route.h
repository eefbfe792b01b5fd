// How a convolution is computed on a GPU: which library, which engine, and what happens before and after it. Decided by
// what the libraries offer, in plain C++, so that the decision can be asked for without a GPU (`diopter kernels
// plans`).
//
// First choice is one pass with the whole epilogue through an engine that cuDNN brings compiled. Engines that it
// compiles at run time cost seconds for every new shape, and in float are generic ones, ten times as slow: they are
// taken only for a convolution in float that nothing else computes.
#pragma once

#include <compare>
#include <cstdint>
#include <functional>
#include <string>

#include "kernels/nn/conv2d/conv2d_args.h"

namespace diopter::cuda {

enum class Conv2dPass : int { forward, data, weight };

/// One level of a convolution or of one of its gradients: all that an engine may depend on. A scale has been folded
/// into the weights before. The other parts of the epilogue are in the order y = relu(z + residual + bias), the one
/// that cuDNN has compiled engines for; bias and residual have the type of the result.
struct Conv2dProblem {
  Conv2dPass pass;
  bool is_bf16;               // inputs, otherwise float
  bool float_result = false;  // of bf16 inputs
  bool tf32 = false;          // float inputs may be rounded to TF32, 10 bits of mantissa
  LevelShape in, out;
  int in_channels, out_channels, kernel, stride, padding;
  bool bias = false, residual = false, relu = false;
  // Of the tensors' addresses, in bytes: 1 to 16, the widest access there is. x is also dx, w also dw, y also dz.
  int x_alignment = 16, w_alignment = 16, y_alignment = 16, bias_alignment = 16, residual_alignment = 16;

  bool has_epilogue() const { return bias || residual || relu; }
  auto operator<=>(const Conv2dProblem&) const = default;
};

/// A level of a convolution, without epilogue and with all addresses aligned. Weight gradients are float.
Conv2dProblem problem_of(Conv2dPass pass, const Conv2dShape& shape, int level, bool is_bf16, bool float_result);

/// "forward bf16, 16x100x168x256 to 256, kernel 3, stride 1, padding 1, bias, relu".
std::string text_of(const Conv2dProblem& problem);

/// What cuDNN has for a problem.
struct Conv2dPlan {
  enum class Kind { none, precompiled, compiled_at_run_time };
  Kind kind = Kind::none;
  std::string engine;          // cuDNN's name and number of it, "eng41"
  std::string notes;           // behaviour notes
  std::int64_t workspace = 0;  // bytes
  std::string reason;          // why there is none
};

/// What the libraries offer. `plan`: a reference that stays; a plan that is compiled at run time only where that is
/// allowed. `product`: whether cuBLASLt computes a problem that is_product.
struct Conv2dOffers {
  std::function<const Conv2dPlan&(const Conv2dProblem&, bool may_compile)> plan;
  std::function<bool(const Conv2dProblem&)> product;
};

/// Whether the convolution is a product of matrices for cuBLASLt: 1x1 without strides in exact float. cuDNN's engines
/// without tensor cores would copy x, w and y to another layout, three times the traffic.
bool is_product(const Conv2dProblem& problem);

struct Conv2dRoute {
  Conv2dProblem problem;             // what the library computes
  const Conv2dPlan* plan = nullptr;  // of cuDNN; null: a product by cuBLASLt
  bool then_epilogue = false;        // conv2d_epilogue follows
  bool rounded = false;              // cuDNN's result is bf16 and is cast to float
  bool in_float = false;             // bf16 operands are cast to float, and the result back where it is bf16
};

/// The route of a problem. `in_place`: the residual lies where y is to be; only cuBLASLt and our epilogue read it
/// before they write. When the plan's kind is none, there is no way, and its reason says why.
Conv2dRoute conv2d_route(const Conv2dProblem& problem, bool in_place, const Conv2dOffers& offers);

}  // namespace diopter::cuda
