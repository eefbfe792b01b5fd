// The decision alone: what the libraries offer is made up.
#include "kernels/nn/conv2d/conv2d_route.h"

#include <map>

#include "tests/support/catch.h"

namespace diopter::cuda {
namespace {

using Kind = Conv2dPlan::Kind;

/// Libraries with plans for what `has` says, 1: precompiled, 2: compiled at run time, 0: none; and what was asked for.
struct MadeUp {
  std::function<int(const Conv2dProblem&)> has;
  bool cublas = true;
  std::map<std::pair<Conv2dProblem, bool>, Conv2dPlan> asked = {};

  bool compiled_anything = false;

  Conv2dRoute route(const Conv2dProblem& problem, bool in_place = false) {
    return conv2d_route(problem, in_place,
                        {.plan = [this](const Conv2dProblem& p, bool may_compile) -> const Conv2dPlan& {
                           Conv2dPlan& plan = asked[{p, may_compile}];
                           const int kind = has(p);
                           if (kind == 1) plan.kind = Kind::precompiled;
                           if (kind == 2 && may_compile)
                             plan.kind = Kind::compiled_at_run_time, compiled_anything = true;
                           return plan;
                         },
                         .product = [this](const Conv2dProblem&) { return cublas; }});
  }
};

Conv2dProblem problem(Conv2dPass pass, bool is_bf16, int kernel = 3) {
  const Conv2dShape shape{Levels({2, 8, 8}), 16, 32, kernel, 1, kernel / 2};
  return problem_of(pass, shape, 0, is_bf16, pass == Conv2dPass::weight);
}

Conv2dProblem with_epilogue(Conv2dProblem p) {
  p.bias = p.residual = p.relu = true;
  return p;
}

bool is_plain(const Conv2dProblem& p) { return !p.has_epilogue(); }

}  // namespace

TEST_CASE("conv2d: route: one precompiled pass with the whole epilogue where there is one") {
  for (const bool is_bf16 : {false, true}) {
    MadeUp libraries{[](const Conv2dProblem&) { return 1; }};
    const Conv2dProblem p = with_epilogue(problem(Conv2dPass::forward, is_bf16));
    const Conv2dRoute route = libraries.route(p);
    CHECK(route.problem == p);
    REQUIRE(route.plan);
    CHECK(route.plan->kind == Kind::precompiled);
    CHECK_FALSE((route.then_epilogue || route.rounded || route.in_float));
  }
}

TEST_CASE("conv2d: route: the epilogue by itself rather than an engine that is compiled for it") {
  for (const bool is_bf16 : {false, true}) {
    MadeUp libraries{[](const Conv2dProblem& p) { return is_plain(p) ? 1 : 2; }};
    const Conv2dRoute route = libraries.route(with_epilogue(problem(Conv2dPass::forward, is_bf16)));
    CHECK(route.problem == problem(Conv2dPass::forward, is_bf16));
    REQUIRE(route.plan);
    CHECK(route.plan->kind == Kind::precompiled);
    CHECK(route.then_epilogue);
    CHECK_FALSE(libraries.compiled_anything);
  }
}

TEST_CASE("conv2d: route: a float result of bf16 comes in one pass on casts, which TF32 holds exactly") {
  MadeUp libraries{[](const Conv2dProblem& p) { return p.is_bf16 ? 2 : 1; }};
  Conv2dProblem p = with_epilogue(problem(Conv2dPass::forward, true));
  p.float_result = true;
  p.x_alignment = p.w_alignment = 2;
  p.y_alignment = p.bias_alignment = p.residual_alignment = 4;
  const Conv2dRoute route = libraries.route(p);
  CHECK(route.in_float);
  CHECK_FALSE(route.then_epilogue);
  CHECK((route.problem.bias && route.problem.residual && route.problem.relu));
  CHECK((route.problem.tf32 && !route.problem.is_bf16));
  CHECK((route.problem.x_alignment == 16 && route.problem.w_alignment == 16));  // of the casts
  CHECK((route.problem.y_alignment == 4 && route.problem.bias_alignment == 4 && route.problem.residual_alignment == 4));
  CHECK_FALSE(libraries.compiled_anything);
  CHECK(libraries.route(p, true).then_epilogue);
}

TEST_CASE("conv2d: route: a convolution in float that nothing else computes is compiled, without its epilogue") {
  MadeUp libraries{[](const Conv2dProblem&) { return 2; }};
  for (const bool is_bf16 : {false, true}) {
    const Conv2dRoute route = libraries.route(with_epilogue(problem(Conv2dPass::forward, is_bf16)));
    REQUIRE(route.plan);
    CHECK(route.plan->kind == Kind::compiled_at_run_time);
    CHECK_FALSE(route.problem.is_bf16);
    CHECK(route.in_float == is_bf16);
    CHECK(route.then_epilogue);
  }
}

TEST_CASE("conv2d: route: float is never compiled with an epilogue") {
  MadeUp libraries{[](const Conv2dProblem& p) { return is_plain(p) ? 0 : 2; }};
  const Conv2dRoute route = libraries.route(with_epilogue(problem(Conv2dPass::forward, false)));
  REQUIRE(route.plan);
  CHECK(route.plan->kind == Kind::none);
  CHECK_FALSE(libraries.compiled_anything);
}

TEST_CASE("conv2d: route: a residual in place of the result is not read by cuDNN") {
  MadeUp libraries{[](const Conv2dProblem&) { return 1; }};
  const Conv2dRoute route = libraries.route(with_epilogue(problem(Conv2dPass::forward, true)), true);
  CHECK(route.problem == problem(Conv2dPass::forward, true));
  CHECK(route.then_epilogue);
}

TEST_CASE("conv2d: route: 1x1 in exact float goes to cuBLASLt, also in place") {
  for (const Conv2dPass pass : {Conv2dPass::forward, Conv2dPass::data, Conv2dPass::weight}) {
    MadeUp libraries{[](const Conv2dProblem&) { return 1; }};
    const Conv2dProblem p = problem(pass, false, 1);
    CHECK_FALSE(libraries.route(p).plan);
    CHECK(libraries.route(p).problem == p);
    libraries.cublas = false;
    CHECK(libraries.route(p).plan);
  }
  MadeUp libraries{[](const Conv2dProblem&) { return 1; }};
  const Conv2dProblem fused = with_epilogue(problem(Conv2dPass::forward, false, 1));
  for (const bool in_place : {false, true}) {
    const Conv2dRoute route = libraries.route(fused, in_place);
    CHECK_FALSE(route.plan);
    CHECK(route.problem == fused);
    CHECK_FALSE(route.then_epilogue);
  }
}

TEST_CASE("conv2d: route: what is no product for cuBLASLt") {
  const Conv2dProblem yes = with_epilogue(problem(Conv2dPass::forward, false, 1));
  CHECK(is_product(yes));
  const auto other = [&](auto change) {
    Conv2dProblem p = yes;
    change(p);
    return is_product(p);
  };
  CHECK_FALSE(other([](auto& p) { p.is_bf16 = true; }));
  CHECK_FALSE(other([](auto& p) { p.tf32 = true; }));
  CHECK_FALSE(other([](auto& p) { p.kernel = 3; }));
  CHECK_FALSE(other([](auto& p) { p.stride = 2; }));
  CHECK_FALSE(other([](auto& p) { p.padding = 1; }));
  CHECK_FALSE(other([](auto& p) { p.x_alignment = 4; }));
  CHECK_FALSE(other([](auto& p) { p.w_alignment = 4; }));
  CHECK_FALSE(other([](auto& p) { p.y_alignment = 4; }));
  CHECK_FALSE(other([](auto& p) { p.bias_alignment = 4; }));
  CHECK_FALSE(other([](auto& p) { p.residual_alignment = 4; }));
}

TEST_CASE("conv2d: route: gradients of weights are float, rounded where cuDNN only has bf16 results") {
  const Conv2dProblem p = problem(Conv2dPass::weight, true);
  MadeUp all{[](const Conv2dProblem&) { return 1; }};
  CHECK(all.route(p).problem == p);
  CHECK_FALSE(all.route(p).rounded);
  MadeUp narrow{[](const Conv2dProblem& asked) { return asked.float_result ? 2 : 1; }};
  Conv2dProblem off = p;
  off.w_alignment = 4;
  const Conv2dRoute route = narrow.route(off);
  CHECK(route.rounded);
  CHECK(route.problem.w_alignment == 16);  // of memory that is cast from
  CHECK_FALSE(route.problem.float_result);
  CHECK(route.problem.is_bf16);
}

TEST_CASE("conv2d: route: bf16 without any engine is computed in float between casts") {
  for (const Conv2dPass pass : {Conv2dPass::forward, Conv2dPass::data, Conv2dPass::weight}) {
    MadeUp libraries{[](const Conv2dProblem& p) { return p.is_bf16 ? 0 : 1; }};
    Conv2dProblem p = problem(pass, true);
    p.x_alignment = p.w_alignment = p.y_alignment = 2;
    const Conv2dRoute route = libraries.route(p);
    CHECK(route.in_float);
    CHECK_FALSE(route.rounded);
    Conv2dProblem expected = problem(pass, false);  // casts are aligned; float gradients of weights need none
    expected.tf32 = true;
    if (pass == Conv2dPass::weight) expected.w_alignment = 2;
    CHECK(route.problem == expected);
    REQUIRE(route.plan);
    CHECK(route.plan->kind == Kind::precompiled);
  }
  MadeUp libraries{[](const Conv2dProblem& p) { return p.is_bf16 ? 0 : 1; }};
  const Conv2dRoute route = libraries.route(with_epilogue(problem(Conv2dPass::forward, true)));
  CHECK(route.in_float);
  CHECK(route.then_epilogue);
}

TEST_CASE("conv2d: route: no way at all has a reason") {
  MadeUp libraries{[](const Conv2dProblem&) { return 0; }};
  for (const bool is_bf16 : {false, true}) {
    const Conv2dRoute route = libraries.route(problem(Conv2dPass::data, is_bf16));
    REQUIRE(route.plan);
    CHECK(route.plan->kind == Kind::none);
  }
}

TEST_CASE("conv2d: route: problems in words") {
  Conv2dProblem p = with_epilogue(problem(Conv2dPass::forward, true));
  CHECK(text_of(p) == "forward bf16, 2x8x8x16 to 32, kernel 3, stride 1, padding 1, residual, bias, relu");
  p.y_alignment = 2;
  CHECK(text_of(p).ends_with("relu, aligned to 2"));
  CHECK(text_of(problem(Conv2dPass::weight, true)).starts_with("weight bf16 to float, 2x8x8x16 to 32"));
}

}  // namespace diopter::cuda
