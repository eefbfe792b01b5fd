#include "tools/kernels/plans.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "generated/cuda_kind.h"
#include "kernels/base/check.h"
#include "kernels/base/did_you_mean.h"
#include "kernels/base/files.h"
#include "retinanet/network/convolutions.h"
#include "retinanet/network/input.h"
#ifdef DIOPTER_WITH_CUDNN
#include "kernels/nn/conv2d/conv2d_plans.h"
#include "kernels/nn/conv2d/conv2d_products.h"
#endif

namespace diopter {

const std::map<std::string, std::string>& gpu_files();  // CMake makes it of gpus/*.json

namespace {

using cuda::Conv2dPass;
using cuda::Conv2dProblem;

/// The problems of a call for a batch of `images` pictures.
void add_problems(const ConvolutionCall& call, int images, std::set<Conv2dProblem>& problems) {
  Conv2dShape shape = call.shape;
  for (int l = 0; l < shape.in.count; ++l) shape.in.level[l].n *= images;
  const bool is_bf16 = call.input == DType::bf16;
  for (int l = 0; l < shape.in.count; ++l) {
    Conv2dProblem forward = problem_of(Conv2dPass::forward, shape, l, is_bf16, call.output == DType::f32);
    forward.bias = call.bias, forward.residual = call.residual, forward.relu = call.relu;
    problems.insert(forward);
    if (call.data_gradient) problems.insert(problem_of(Conv2dPass::data, shape, l, is_bf16, false));
    if (call.weight_gradient) problems.insert(problem_of(Conv2dPass::weight, shape, l, is_bf16, true));
  }
}

/// Padded sizes of a landscape picture of 4:3, as most of COCO's are.
std::set<std::pair<int, int>> input_sizes(const Config& config) {
  std::set<std::pair<int, int>> sizes;
  for (const int side : config.input.min_sizes) {
    Config one = config;
    one.input.min_sizes = {side};
    const InputSize size = input_size(one, 640, 480);
    sizes.emplace(size.padded_height, size.padded_width);
  }
  return sizes;
}

PlanRow row_of(const std::string& gpu, const Conv2dProblem& problem, const cuda::Conv2dOffers& offers) {
  const cuda::Conv2dRoute route = cuda::conv2d_route(problem, false, offers);
  PlanRow row{.gpu = gpu, .problem = problem, .kind = PlanRow::Kind::product, .route = "cuBLASLt"};
  if (route.plan) {
    row.route = "cuDNN";
    row.engine = route.plan->engine;
    row.notes = route.plan->notes;
    row.workspace = route.plan->workspace;
    switch (route.plan->kind) {
      case cuda::Conv2dPlan::Kind::precompiled: row.kind = PlanRow::Kind::precompiled; break;
      case cuda::Conv2dPlan::Kind::compiled_at_run_time: row.kind = PlanRow::Kind::compiled_at_run_time; break;
      case cuda::Conv2dPlan::Kind::none: row.kind = PlanRow::Kind::none; break;
    }
  }
  if (route.in_float) row.route += " in float between casts";
  if (route.rounded) row.route += ", a bf16 result, then a cast";
  if (route.then_epilogue) row.route += ", then the epilogue";
  if (!row.is_fast()) row.reason = offers.plan(problem, false).reason;
  std::replace(row.reason.begin(), row.reason.end(), '\n', ' ');
  return row;
}

}  // namespace

std::vector<std::string> gpu_names() {
  std::vector<std::string> names;
  for (const auto& [name, text] : gpu_files()) names.push_back(name);
  return names;
}

std::string gpu_description(const std::string& name_or_file) {
  const auto found = gpu_files().find(name_or_file);
  if (found != gpu_files().end()) return found->second;
  DIOPTER_CHECK(file_exists(name_or_file), "no file, and no GPU that is described, is called '", name_or_file, "'",
                hint_with_list(name_or_file, gpu_names()));
  return read_file(name_or_file);
}

std::vector<Conv2dProblem> convolution_problems(const Config& config, int classes, const std::vector<int>& images) {
  std::set<Conv2dProblem> problems;
  for (const auto& [height, width] : input_sizes(config)) {
    for (const DType precision : {DType::f32, DType::bf16}) {
      for (const bool training : {false, true}) {
        for (const ConvolutionCall& call : convolutions_of(config, classes, precision, training, height, width)) {
          for (const int count : images) add_problems(call, count, problems);
        }
      }
    }
  }
  return {problems.begin(), problems.end()};
}

std::vector<PlanRow> plan_rows(const std::string& gpu, const std::vector<Conv2dProblem>& problems,
                               const cuda::Conv2dOffers& offers) {
  std::vector<PlanRow> rows;
  for (const Conv2dProblem& problem : problems) rows.push_back(row_of(gpu, problem, offers));
  return rows;
}

#ifdef DIOPTER_WITH_CUDNN

std::vector<PlanRow> plan_rows(const std::string& gpu, const std::string& description,
                               const std::vector<Conv2dProblem>& problems) {
  cuda::Conv2dPlans plans(description);
  // cuBLASLt does not plan for a GPU that is not here; every product of matrices is one that it computes.
  return plan_rows(gpu, problems,
                   {.plan = [&](const Conv2dProblem& problem, bool may_compile) -> const cuda::Conv2dPlan& {
                      return plans.find(problem, may_compile);
                    },
                    .product = cuda::is_product});
}

std::vector<PlanRow> plan_rows_here(const std::vector<Conv2dProblem>& problems) {
  cuda::Conv2dPlans plans;
  cuda::Conv2dProducts products;
  return plan_rows("here", problems,
                   {.plan = [&](const Conv2dProblem& problem, bool may_compile) -> const cuda::Conv2dPlan& {
                      return plans.find(problem, may_compile);
                    },
                    .product = [&](const Conv2dProblem& problem) { return products.has(problem); }});
}

#else

namespace {
[[noreturn]] void fail_without_cudnn() {
  fail("this build has no cuDNN to ask: configure with -DDIOPTER_CUDA=on, the preset cuda");
}
}  // namespace

std::vector<PlanRow> plan_rows(const std::string&, const std::string&, const std::vector<Conv2dProblem>&) {
  fail_without_cudnn();
}

std::vector<PlanRow> plan_rows_here(const std::vector<Conv2dProblem>&) { fail_without_cudnn(); }

#endif

}  // namespace diopter
