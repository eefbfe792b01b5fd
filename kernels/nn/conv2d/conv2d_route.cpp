#include "kernels/nn/conv2d/conv2d_route.h"

#include <sstream>

namespace diopter::cuda {

namespace {

bool is_precompiled(const Conv2dPlan& plan) { return plan.kind == Conv2dPlan::Kind::precompiled; }

/// The problem for casts of its operands to float. Every bf16 value is a TF32 value, so that tensor cores round
/// nothing.
Conv2dProblem in_float(Conv2dProblem p) {
  const bool casts_result = !p.float_result;
  p.is_bf16 = p.float_result = false;
  p.tf32 = true;
  if (casts_result || p.pass != Conv2dPass::data) p.x_alignment = 16;  // of a copy
  if (casts_result || p.pass != Conv2dPass::weight) p.w_alignment = 16;
  if (casts_result || p.pass != Conv2dPass::forward) p.y_alignment = 16;
  return p;
}

/// Of a problem without an epilogue.
Conv2dRoute plain_route(const Conv2dProblem& problem, const Conv2dOffers& offers) {
  if (is_product(problem) && offers.product(problem)) return {.problem = problem};
  if (const Conv2dPlan& plan = offers.plan(problem, false); is_precompiled(plan)) {
    return {.problem = problem, .plan = &plan};
  }
  if (!problem.is_bf16) return {.problem = problem, .plan = &offers.plan(problem, true)};
  if (problem.pass == Conv2dPass::weight && problem.float_result) {
    Conv2dProblem narrow = problem;
    narrow.float_result = false;
    narrow.w_alignment = 16;  // of memory that is cast from
    if (const Conv2dPlan& plan = offers.plan(narrow, false); is_precompiled(plan)) {
      return {.problem = narrow, .plan = &plan, .rounded = true};
    }
  }
  Conv2dRoute route = plain_route(in_float(problem), offers);
  route.in_float = true;
  return route;
}

}  // namespace

Conv2dProblem problem_of(Conv2dPass pass, const Conv2dShape& s, int level, bool is_bf16, bool float_result) {
  return {.pass = pass,
          .is_bf16 = is_bf16,
          .float_result = is_bf16 && float_result,
          .in = s.in.level[level],
          .out = s.out().level[level],
          .in_channels = s.in_channels,
          .out_channels = s.out_channels,
          .kernel = s.kernel,
          .stride = s.stride,
          .padding = s.padding};
}

std::string text_of(const Conv2dProblem& p) {
  static constexpr const char* kPasses[] = {"forward", "data", "weight"};
  std::ostringstream out;
  out << kPasses[static_cast<int>(p.pass)]
      << (p.is_bf16 ? " bf16"
          : p.tf32  ? " tf32"
                    : " float")
      << (p.float_result ? " to float, " : ", ") << p.in.n << 'x' << p.in.h << 'x' << p.in.w << 'x' << p.in_channels
      << " to " << p.out_channels << ", kernel " << p.kernel << ", stride " << p.stride << ", padding " << p.padding;
  if (p.residual) out << ", residual";
  if (p.bias) out << ", bias";
  if (p.relu) out << ", relu";
  for (const int alignment : {p.x_alignment, p.w_alignment, p.y_alignment, p.bias_alignment, p.residual_alignment}) {
    if (alignment < 16) out << ", aligned to " << alignment;
  }
  return out.str();
}

bool is_product(const Conv2dProblem& p) {
  const bool aligned = p.x_alignment == 16 && p.w_alignment == 16 && p.y_alignment == 16 && p.bias_alignment == 16 &&
                       p.residual_alignment == 16;
  return !p.is_bf16 && !p.tf32 && p.kernel == 1 && p.stride == 1 && p.padding == 0 && aligned;
}

Conv2dRoute conv2d_route(const Conv2dProblem& problem, bool in_place, const Conv2dOffers& offers) {
  if (!problem.has_epilogue()) return plain_route(problem, offers);
  if (is_product(problem) && offers.product(problem)) return {.problem = problem};
  if (!in_place) {
    if (const Conv2dPlan& plan = offers.plan(problem, false); is_precompiled(plan)) {
      return {.problem = problem, .plan = &plan};
    }
  }
  if (problem.is_bf16 && problem.float_result) {
    Conv2dRoute route = conv2d_route(in_float(problem), in_place, offers);
    route.in_float = true;
    return route;
  }
  Conv2dProblem plain = problem;
  plain.bias = plain.residual = plain.relu = false;
  plain.bias_alignment = plain.residual_alignment = 16;
  Conv2dRoute route = plain_route(plain, offers);
  route.then_epilogue = true;
  return route;
}

}  // namespace diopter::cuda
