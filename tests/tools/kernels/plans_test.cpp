// Every convolution of every preset has a fast plan on every GPU that is described: cuDNN itself says so, without a
// GPU.
#include "tools/kernels/plans.h"

#include <set>
#include <string_view>

#include "kernels/base/check.h"
#include "retinanet/config/backbone_names.h"
#include "retinanet/config/presets.h"
#include "tests/tools/program.h"
#include "tools/kernels/plan_tables.h"

namespace diopter {

using namespace test;
using cuda::Conv2dPass;
using cuda::Conv2dProblem;

namespace {

constexpr bool kHasCudnn = std::string_view(DIOPTER_CUDA_KIND) == "on";

/// Whether cuDNN's libraries are there to be asked; says so where they are not.
bool can_ask() {
  if (kHasCudnn) return true;
  skip("plans of convolutions: this build has no cuDNN (preset cuda)");
  return false;
}

/// Problems of every preset, and of every backbone at the sizes of one.
std::vector<Conv2dProblem> problems_of_all() {
  std::set<Conv2dProblem> problems;
  const auto add = [&](const Config& config, int classes) {
    for (const Conv2dProblem& problem : convolution_problems(config, classes, {config.train.batch_size})) {
      problems.insert(problem);
    }
  };
  for (const std::string& name : preset_names()) {
    Config config = preset(name);
    config.input.min_sizes = {config.input.min_sizes.back()};
    add(config, name == "small" ? 3 : 80);
  }
  for (const std::string& backbone : backbone_names()) {
    Config config = preset("paper");
    config.model.backbone = backbone;
    add(config, 80);
  }
  return {problems.begin(), problems.end()};
}

}  // namespace

TEST_CASE("plans: GPUs that are described") {
  for (const std::string name : {"a100", "b200", "h200", "rtx3090", "rtx4090", "rtx5090"}) {
    CHECK(contains(gpu_description(name), "deviceVer"));
  }
  CHECK(gpu_names().size() == 6);
  CHECK_THROWS_WITH(gpu_description("h20"),
                    "no file, and no GPU that is described, is called 'h20'; the nearest is h200 "
                    "(there are a100, b200, h200, rtx3090, rtx4090, rtx5090)");
}

TEST_CASE("plans: problems of a network") {
  const std::vector<Conv2dProblem> problems = convolution_problems(preset("paper"), 80, {1, 16});
  std::set<std::pair<Conv2dPass, bool>> passes;
  bool stem = false, logits = false, deltas = false, bottleneck = false;
  for (const Conv2dProblem& p : problems) {
    passes.emplace(p.pass, p.is_bf16);
    if (p.pass != Conv2dPass::forward) continue;
    stem = stem || (p.in_channels == 3 && p.out_channels == 64 && p.kernel == 7 && p.in.n == 16 && p.bias && p.relu);
    logits = logits || (p.out_channels == 720 && p.is_bf16 && !p.float_result && p.bias && !p.relu);
    deltas = deltas || (p.out_channels == 36 && p.is_bf16 && p.float_result);
    bottleneck = bottleneck || (p.kernel == 1 && p.out_channels == 2048 && p.residual && p.bias && p.relu);
  }
  CHECK(passes.size() == 6);
  CHECK((stem && logits && deltas && bottleneck));
}

TEST_CASE("plans: rows say what the decision is") {
  const Conv2dShape shape{Levels({2, 8, 8}), 16, 32, 3, 1, 1}, product{Levels({2, 8, 8}), 16, 32, 1, 1, 0};
  Conv2dProblem wide = problem_of(Conv2dPass::forward, shape, 0, true, true), odd = wide;
  wide.bias = true;
  odd.float_result = false, odd.relu = true;
  const std::vector<Conv2dProblem> problems{wide, odd, problem_of(Conv2dPass::weight, shape, 0, true, true),
                                            problem_of(Conv2dPass::data, product, 0, false, false)};
  cuda::Conv2dPlan fast, none;
  fast.kind = cuda::Conv2dPlan::Kind::precompiled, fast.engine = "eng7", fast.workspace = 64;
  none.reason = "cuDNN says:\nno";
  const std::vector<PlanRow> rows = plan_rows("made up", problems,
                                              {.plan = [&](const Conv2dProblem& p, bool) -> const cuda::Conv2dPlan& {
                                                 return p.float_result || (p.relu && p.is_bf16) ? none : fast;
                                               },
                                               .product = [](const Conv2dProblem&) { return true; }});
  REQUIRE(rows.size() == 4);
  CHECK(rows[0].route == "cuDNN in float between casts");
  CHECK(rows[1].route == "cuDNN, then the epilogue");
  CHECK(rows[2].route == "cuDNN, a bf16 result, then a cast");
  CHECK(rows[3].route == "cuBLASLt");
  for (const PlanRow& row : rows) CHECK((row.is_fast() && row.gpu == "made up" && row.reason.empty()));
  CHECK((rows[0].engine == "eng7" && rows[0].workspace == 64));
  const auto lost = plan_rows("made up", {problems[2]},
                              {.plan = [&](const Conv2dProblem&, bool) -> const cuda::Conv2dPlan& { return none; },
                               .product = [](const Conv2dProblem&) { return false; }});
  CHECK(lost[0].kind == PlanRow::Kind::none);
  CHECK(lost[0].reason == "cuDNN says: no");
}

TEST_CASE("plans: every convolution is computed by a precompiled engine of cuDNN or by cuBLASLt") {
  if (!can_ask()) return;
  const std::vector<Conv2dProblem> problems = problems_of_all();
  std::size_t asked = 0;
  for (const std::string& gpu : gpu_names()) {
    for (const PlanRow& row : plan_rows(gpu, gpu_description(gpu), problems)) {
      ++asked;
      INFO(gpu << ": " << text_of(row.problem) << ": " << row.route << " " << row.engine << " " << row.reason);
      CHECK(row.is_fast());
      // In one pass, and in float only where bf16 has a float result.
      CHECK_FALSE(contains(row.route, "epilogue"));
      CHECK(contains(row.route, "in float") == (row.problem.pass == Conv2dPass::forward && row.problem.float_result));
      if (row.kind == PlanRow::Kind::precompiled) CHECK_FALSE(contains(row.notes, "RUNTIME_COMPILATION"));
    }
  }
  CHECK(asked >= 1500);
}

TEST_CASE("plans: a description that cuDNN does not take is an error") {
  if (!can_ask()) return;
  CHECK_THROWS_WITH(plan_rows("x", "{}", {}), "the description of a GPU lacks deviceVer");
  CHECK_THROWS_AS(plan_rows("x", "{\"deviceVer\": 900}", {}), Error);
}

TEST_CASE("plans: tables") {
  const Conv2dShape shape{Levels({2, 8, 8}), 16, 32, 3, 2, 1};
  Conv2dProblem p = problem_of(Conv2dPass::forward, shape, 0, true, false);
  p.bias = p.relu = true;
  const std::vector<PlanRow> rows{
      {.gpu = "h200",
       .problem = p,
       .kind = PlanRow::Kind::precompiled,
       .route = "cuDNN",
       .engine = "eng41",
       .notes = "",
       .workspace = 3 << 20},
      {.gpu = "h200", .problem = p, .kind = PlanRow::Kind::none, .route = "cuDNN", .reason = "no, \"never\""}};
  const std::string table = plan_summary(rows);
  CHECK(contains(table, "forward bf16           3x3 / 2 bias relu                 1  eng41:1 "));
  CHECK(contains(table, " 3.0  cuDNN\n"));
  CHECK(contains(table, "none: no, \"never\"\n"));
  CHECK(table.ends_with("2 problems, 1 precompiled, 1 none\n"));
  CHECK(plan_csv(rows) ==
        "gpu,pass,type,images,height,width,in,out,kernel,stride,padding,epilogue,kind,route,engine,notes,workspace,"
        "reason\n"
        "h200,forward,bf16,2,8,8,16,32,3,2,1,bias relu,precompiled,cuDNN,eng41,,3145728,\n"
        "h200,forward,bf16,2,8,8,16,32,3,2,1,bias relu,none,cuDNN,,,0,\"no, \"\"never\"\"\"\n");
  CHECK(contains(plan_json(rows), "\"engine\": \"eng41\""));
}

TEST_CASE("kernels plans: a build without cuDNN refuses, with cuDNN it prints the table") {
  const Outcome outcome = run_diopter("kernels plans --gpu h200 --preset small --images 2");
  if (!kHasCudnn) {
    require_refused(outcome, "this build has no cuDNN to ask: configure with -DDIOPTER_CUDA=on");
    return;
  }
  INFO(outcome.err);
  REQUIRE(outcome.exit_code == 0);
  CHECK(outcome.out.starts_with("h200\npass "));
  CHECK(contains(outcome.out, " problems, "));
}

}  // namespace diopter
