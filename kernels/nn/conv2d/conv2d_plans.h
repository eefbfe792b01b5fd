// cuDNN's plans of convolutions, for a GPU that is here or for one that is only described. Plain C++: cudnn-frontend, a
// library of headers that takes a minute to compile, is included by conv2d_plans_cudnn.cpp alone.
//
// With DIOPTER_PLAN_LOG=FILE in the environment a line is appended to FILE for each plan that is looked for: problem,
// engine, behaviour notes, workspace, milliseconds.
#pragma once

#include <memory>
#include <string>

#include "kernels/nn/conv2d/conv2d_route.h"

namespace diopter::cuda {

/// Addresses for a plan; those that its problem does not have are ignored. The result is y, dx (as x) or dw (as w).
struct Conv2dPointers {
  const void *x = nullptr, *w = nullptr, *y = nullptr;
  const void *bias = nullptr, *residual = nullptr;
};

/// Plans made so far. For one host thread.
class Conv2dPlans {
 public:
  /// For the GPU that stream() is on.
  Conv2dPlans();
  /// For a GPU described by cuDNN's JSON of device properties, whose plans cannot be run. Throws Error for a
  /// description that cuDNN does not take.
  explicit Conv2dPlans(const std::string& description);
  ~Conv2dPlans();
  Conv2dPlans(const Conv2dPlans&) = delete;

  /// The first engine of cuDNN's ranking, which nothing is measured for, that is deterministic and exact enough:
  /// without tensor cores for float, unless tf32. Those compiled at run time come last, and only where may_compile.
  /// Throws Error when a plan would have to be made while stream() records a graph.
  const Conv2dPlan& find(const Conv2dProblem& problem, bool may_compile);

  /// Runs a plan of find() on stream(). Throws Error where it fails.
  void run(const Conv2dPlan& plan, const Conv2dPointers& pointers);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace diopter::cuda
