// 1x1 convolutions in exact float as products of matrices by cuBLASLt, with bias, residual and ReLU in the product's
// own epilogue. The library is opened at the first use, under the name libcublasLt.so.N, N being the version of the
// headers: the dynamic linker looks in LD_LIBRARY_PATH, the program's run path (the toolkit or wheels that it was
// linked with) and the system's folders. Where it is not found, cuDNN computes these convolutions as well.
#pragma once

#include <memory>

#include "kernels/nn/conv2d/conv2d_plans.h"

namespace diopter::cuda {

/// The algorithms chosen so far. For one host thread.
class Conv2dProducts {
 public:
  Conv2dProducts();
  ~Conv2dProducts();
  Conv2dProducts(const Conv2dProducts&) = delete;

  /// Whether cuBLASLt is there and has an algorithm with a fixed order of sums for a problem that is_product. Throws
  /// Error when one would have to be chosen while stream() records a graph.
  bool has(const Conv2dProblem& problem);

  /// Computes a problem that it has, on stream(). The residual may be y.
  void run(const Conv2dProblem& problem, const Conv2dPointers& pointers);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace diopter::cuda
