// The convolutions on a GPU: each level of each pass takes the route that conv2d_route.h chooses, through cuDNN
// (conv2d_plans.h) or cuBLASLt (conv2d_products.h), with casts and an epilogue of ours where the route says so.
//
// Plans are made at their first use and kept by the host thread. A scale is folded into the weights first, w'[o] =
// scale[o] w[o]: one pass over the weights instead of a step of the epilogue for which cuDNN would have to compile a
// kernel. In bf16 w' and the bias are rounded to bf16.
#include "kernels/nn/conv2d/conv2d.h"

#include <atomic>
#include <type_traits>

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/device/stream.h"
#include "kernels/nn/conv2d/conv2d_plans.h"
#include "kernels/nn/conv2d/conv2d_products.h"
#include "kernels/nn/conv2d/conv2d_route.h"
#include "kernels/nn/elementwise.h"

namespace diopter::cuda {

namespace {

std::atomic<bool> tf32_allowed{false};

/// What the libraries offer to this host thread.
struct Libraries {
  Conv2dPlans plans;
  Conv2dProducts products;

  Conv2dOffers offers() {
    return {.plan = [this](const Conv2dProblem& problem, bool may_compile) -> const Conv2dPlan& {
              return plans.find(problem, may_compile);
            },
            .product = [this](const Conv2dProblem& problem) { return products.has(problem); }};
  }
};

Libraries& libraries() {
  thread_local Libraries mine;
  return mine;
}

Conv2dRoute route_of(const Conv2dProblem& problem, bool in_place = false) {
  const Conv2dRoute route = conv2d_route(problem, in_place, libraries().offers());
  DIOPTER_CHECK(!route.plan || route.plan->kind != Conv2dPlan::Kind::none, "cuDNN has no engine for a convolution (",
                text_of(problem), "): ", route.plan->reason);
  return route;
}

/// Of an address, in bytes: at most 16, what the widest access needs.
int alignment_of(const void* p) {
  const std::uintptr_t address = reinterpret_cast<std::uintptr_t>(p) | 16;
  return static_cast<int>(address & (~address + 1));
}

/// A level with inputs of type T and results of type Y, without an epilogue.
template <class T, class Y>
Conv2dProblem problem_of(Conv2dPass pass, const Conv2dShape& s, int level, const Conv2dPointers& at) {
  Conv2dProblem problem = problem_of(pass, s, level, std::is_same_v<T, bf16>, !std::is_same_v<T, Y>);
  problem.tf32 = std::is_same_v<T, float> && tf32_allowed;
  problem.x_alignment = alignment_of(at.x);
  problem.w_alignment = alignment_of(at.w);
  problem.y_alignment = alignment_of(at.y);
  return problem;
}

std::int64_t weight_count(const Conv2dShape& s) {
  return std::int64_t{s.out_channels} * s.kernel * s.kernel * s.in_channels;
}

/// An array of a level: x, w or y, or their gradients.
template <class T>
struct Operand {
  const void* Conv2dPointers::*name;
  T* data;
  std::int64_t size;
};

/// Runs a route: result of a and b. `epilogue` has the addresses for the parts of the epilogue that the problem has.
template <class T, class Y>
void run_route(const Conv2dRoute& route, const Operand<const T>& a, const Operand<const T>& b, const Operand<Y>& result,
               const Conv2dPointers& epilogue = {}) {
  const auto run_with = [&](const void* a_data, const void* b_data, const void* result_data) {
    Conv2dPointers at = epilogue;
    at.*a.name = a_data, at.*b.name = b_data, at.*result.name = result_data;
    if (route.plan) {
      libraries().plans.run(*route.plan, at);
    } else {
      libraries().products.run(route.problem, at);
    }
  };
  if constexpr (std::is_same_v<T, bf16>) {
    if (route.in_float) {
      constexpr bool kCastsResult = !std::is_same_v<Y, float>;
      const Scratch<float> wide_a(a.size), wide_b(b.size), wide(kCastsResult ? result.size : 0);
      cast(a.size, a.data, wide_a.data());
      cast(b.size, b.data, wide_b.data());
      if constexpr (kCastsResult) {
        run_with(wide_a.data(), wide_b.data(), wide.data());
        cast(result.size, static_cast<const float*>(wide.data()), result.data);
      } else {
        run_with(wide_a.data(), wide_b.data(), result.data);
      }
      return;
    }
    if (route.rounded) {
      const Scratch<bf16> narrow(result.size);
      run_with(a.data, b.data, narrow.data());
      cast(result.size, static_cast<const bf16*>(narrow.data()), result.data);
      return;
    }
  }
  run_with(a.data, b.data, result.data);
}

template <class T, class Y>
void forward(const Conv2dForwardArgs<T, Y>& args) {
  validate(args.shape);
  const Conv2dShape& s = args.shape;
  const Levels out = s.out();
  // Of one forward pass: what the libraries read instead of w and bias.
  const bool casts_bias = args.epilogue.bias && std::is_same_v<Y, bf16>;
  const Scratch<T> scaled(args.epilogue.scale ? weight_count(s) : 0);
  const Scratch<bf16> narrow_bias(casts_bias ? s.out_channels : 0);
  if (args.epilogue.scale) {
    conv2d_scaled_weights(s.out_channels, s.kernel * s.kernel * s.in_channels, args.w, args.epilogue.scale,
                          scaled.data());
  }
  if (casts_bias) cast(s.out_channels, args.epilogue.bias, narrow_bias.data());
  const T* w = args.epilogue.scale ? scaled.data() : args.w;
  const void* bias = casts_bias ? static_cast<const void*>(narrow_bias.data()) : args.epilogue.bias;

  for (int l = 0; l < s.in.count; ++l) {
    if (s.in.level[l].n == 0) continue;
    const std::int64_t first = out.offset(l) * s.out_channels, rows = out.level[l].rows();
    Conv2dEpilogue<Y> e = args.epilogue;
    e.scale = nullptr;
    if (e.residual) e.residual += first;
    const T* x = args.x + s.in.offset(l) * s.in_channels;
    Y* y = args.y + first;
    const Conv2dPointers at{.x = x, .w = w, .y = y, .bias = bias, .residual = e.residual};
    Conv2dProblem problem = problem_of<T, Y>(Conv2dPass::forward, s, l, at);
    problem.bias = e.bias, problem.residual = e.residual, problem.relu = e.relu;
    if (e.bias) problem.bias_alignment = alignment_of(bias);
    if (e.residual) problem.residual_alignment = alignment_of(e.residual);
    const bool in_place = e.residual == y;
    const Conv2dRoute route = route_of(problem, in_place);
    const bool aside = route.then_epilogue && in_place;  // z must not take the residual's place
    const Scratch<Y> scratch(aside ? rows * s.out_channels : 0);
    Y* z = aside ? scratch.data() : y;
    run_route<T, Y>(route, {&Conv2dPointers::x, x, s.in.level[l].rows() * s.in_channels},
                    {&Conv2dPointers::w, w, weight_count(s)}, {&Conv2dPointers::y, z, rows * s.out_channels},
                    route.then_epilogue ? Conv2dPointers{} : at);
    if (route.then_epilogue) conv2d_epilogue(rows, s.out_channels, z, e, y);
  }
}

}  // namespace

void allow_tf32(bool allowed) { tf32_allowed = allowed; }

template <class T>
void conv2d_forward(const Conv2dForwardArgs<T>& args) {
  forward(args);
}

void conv2d_forward(const Conv2dForwardArgs<bf16, float>& args) { forward(args); }

template <class T>
void conv2d_backward_data(const Conv2dShape& s, const T* dz, const T* w, T* dx) {
  validate(s);
  const Levels out = s.out();
  for (int l = 0; l < s.in.count; ++l) {
    if (s.in.level[l].n == 0) continue;
    const T* from = dz + out.offset(l) * s.out_channels;
    T* to = dx + s.in.offset(l) * s.in_channels;
    const Conv2dPointers at{.x = to, .w = w, .y = from};
    run_route<T, T>(route_of(problem_of<T, T>(Conv2dPass::data, s, l, at)),
                    {&Conv2dPointers::y, from, out.level[l].rows() * s.out_channels},
                    {&Conv2dPointers::w, w, weight_count(s)},
                    {&Conv2dPointers::x, to, s.in.level[l].rows() * s.in_channels});
  }
}

template <class T>
void conv2d_backward_weight(const Conv2dShape& s, const T* dz, const T* x, float* dw) {
  validate(s);
  const Levels out = s.out();
  const std::int64_t size = weight_count(s);
  const Scratch<float> more(s.in.count > 1 ? size : 0);
  bool first = true;
  for (int l = 0; l < s.in.count; ++l) {
    if (s.in.level[l].n == 0) continue;
    const T* gradient = dz + out.offset(l) * s.out_channels;
    const T* from = x + s.in.offset(l) * s.in_channels;
    float* to = first ? dw : more.data();
    const Conv2dPointers at{.x = from, .w = to, .y = gradient};
    run_route<T, float>(route_of(problem_of<T, float>(Conv2dPass::weight, s, l, at)),
                        {&Conv2dPointers::x, from, s.in.level[l].rows() * s.in_channels},
                        {&Conv2dPointers::y, gradient, out.level[l].rows() * s.out_channels},
                        {&Conv2dPointers::w, to, size});
    if (!first) add(size, static_cast<const float*>(dw), static_cast<const float*>(to), dw);
    first = false;
  }
  if (first) zero(dw, static_cast<std::size_t>(size) * sizeof(float));
}

template void conv2d_forward(const Conv2dForwardArgs<float>&);
template void conv2d_forward(const Conv2dForwardArgs<bf16>&);
template void conv2d_backward_data(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_data(const Conv2dShape&, const bf16*, const bf16*, bf16*);
template void conv2d_backward_weight(const Conv2dShape&, const float*, const float*, float*);
template void conv2d_backward_weight(const Conv2dShape&, const bf16*, const bf16*, float*);

}  // namespace diopter::cuda
