// cuDNN's graph API through cudnn-frontend: how a problem is described to cuDNN, and which engine is taken.
#include "kernels/nn/conv2d/conv2d_plans.h"

#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/device/stream.h"

namespace diopter::cuda {

namespace {

namespace fe = cudnn_frontend;
using TensorPointer = std::shared_ptr<fe::graph::Tensor_attributes>;

void require(cudnnStatus_t status, const char* call) {
  DIOPTER_CHECK(status == CUDNN_STATUS_SUCCESS, call, " failed: ", cudnnGetErrorString(status));
}

/// cuDNN's state of this host thread, working on stream(). It lives as long as the process: others may still need it
/// when the thread ends.
cudnnHandle_t handle() {
  thread_local const cudnnHandle_t mine = [] {
    stream();  // chooses the device
    cudnnHandle_t made = nullptr;
    require(cudnnCreate(&made), "cudnnCreate");
    return made;
  }();
  require(cudnnSetStream(mine, stream()), "cudnnSetStream");
  return mine;
}

/// Names of the tensors in a graph.
enum Name : std::int64_t { kX = 1, kW, kY, kBias, kResidual };

/// Describes the problem to cuDNN.
void describe(const Conv2dProblem& p, fe::graph::Graph& graph) {
  const auto type = p.is_bf16 ? fe::DataType_t::BFLOAT16 : fe::DataType_t::FLOAT;
  const auto result = p.float_result ? fe::DataType_t::FLOAT : type;
  graph.set_io_data_type(type)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  // cuDNN names sizes in the order N, C, H, W; the strides say that channels come last.
  struct Operand {
    Name name;
    int alignment;
    std::int64_t n, c, h, w;
    std::vector<std::int64_t> dim() const { return {n, c, h, w}; }
    std::vector<std::int64_t> stride() const { return {h * w * c, 1, w * c, c}; }
  };
  const Operand x{kX, p.x_alignment, p.in.n, p.in_channels, p.in.h, p.in.w};
  const Operand w{kW, p.w_alignment, p.out_channels, p.in_channels, p.kernel, p.kernel};
  const Operand y{kY, p.y_alignment, p.out.n, p.out_channels, p.out.h, p.out.w};
  const Operand residual{kResidual, p.residual_alignment, p.out.n, p.out_channels, p.out.h, p.out.w};
  const Operand bias{kBias, p.bias_alignment, 1, p.out_channels, 1, 1};
  const auto set = [](fe::graph::Tensor_attributes& tensor, const Operand& as, fe::DataType_t stored) {
    tensor.set_uid(as.name).set_dim(as.dim()).set_stride(as.stride()).set_alignment(as.alignment).set_data_type(stored);
  };
  const auto input = [&](const Operand& as, fe::DataType_t stored) {
    fe::graph::Tensor_attributes tensor;
    set(tensor, as, stored);
    return graph.tensor(tensor);
  };
  const auto output = [&](const TensorPointer& tensor, const Operand& as) {
    set(tensor->set_output(true), as, result);
  };
  const auto geometry = [&](auto attributes) {
    return attributes.set_padding({p.padding, p.padding}).set_stride({p.stride, p.stride}).set_dilation({1, 1});
  };

  switch (p.pass) {
    case Conv2dPass::data:
      output(graph.conv_dgrad(input(y, type), input(w, type), geometry(fe::graph::Conv_dgrad_attributes())), x);
      break;
    case Conv2dPass::weight:
      output(graph.conv_wgrad(input(y, type), input(x, type), geometry(fe::graph::Conv_wgrad_attributes())), w);
      break;
    case Conv2dPass::forward: {
      auto z = graph.conv_fprop(input(x, type), input(w, type), geometry(fe::graph::Conv_fprop_attributes()));
      const auto add = [&](const TensorPointer& summand) {
        z = graph.pointwise(z, summand, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::ADD));
      };
      if (p.residual) add(input(residual, result));
      if (p.bias) add(input(bias, result));
      if (p.relu) z = graph.pointwise(z, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
      output(z, y);
    }
  }
}

std::string text_of(const std::vector<fe::BehaviorNote_t>& notes) {
  std::string text;
  const auto add = [&](const char* name) { text += (text.empty() ? "" : ", ") + std::string(name); };
  for (const fe::BehaviorNote_t note : notes) {
    switch (note) {
      case fe::BehaviorNote_t::NOT_SET: break;
      case fe::BehaviorNote_t::RUNTIME_COMPILATION: add("RUNTIME_COMPILATION"); break;
      case fe::BehaviorNote_t::REQUIRES_FILTER_INT8x32_REORDER: add("REQUIRES_FILTER_INT8x32_REORDER"); break;
      case fe::BehaviorNote_t::REQUIRES_BIAS_INT8x32_REORDER: add("REQUIRES_BIAS_INT8x32_REORDER"); break;
      case fe::BehaviorNote_t::SUPPORTS_CUDA_GRAPH_NATIVE_API: add("SUPPORTS_CUDA_GRAPH_NATIVE_API"); break;
      case fe::BehaviorNote_t::CUBLASLT_DEPENDENCY: add("CUBLASLT_DEPENDENCY"); break;
    }
  }
  return text;
}

/// A plan with what runs it.
struct Built : Conv2dPlan {
  std::unique_ptr<fe::graph::Graph> graph;
  std::int64_t index = 0;  // of the engine in cuDNN's ranking
};

/// Appends a line to the file that DIOPTER_PLAN_LOG names, if it does.
void log_plan(const Conv2dProblem& problem, const Conv2dPlan& plan, double milliseconds) {
  static const char* const file = std::getenv("DIOPTER_PLAN_LOG");
  if (!file || !*file) return;
  std::ofstream out(file, std::ios::app);
  out << text_of(problem) << ": ";
  if (plan.kind == Conv2dPlan::Kind::none) {
    out << "no plan, " << plan.reason;
  } else {
    out << plan.engine << ", " << (plan.notes.empty() ? "no notes" : plan.notes) << ", workspace " << plan.workspace;
  }
  out << ", " << static_cast<int>(milliseconds) << " ms" << std::endl;
  DIOPTER_CHECK(out, file, ": cannot write the log of plans");
}

/// The number behind a key of a description.
int number_of(const std::string& description, const std::string& key) {
  const std::size_t at = description.find('"' + key + '"');
  const std::size_t colon = at == std::string::npos ? at : description.find(':', at);
  DIOPTER_CHECK(colon != std::string::npos, "the description of a GPU lacks ", key);
  return std::atoi(description.c_str() + colon + 1);
}

}  // namespace

struct Conv2dPlans::State {
  std::shared_ptr<fe::DeviceProperties> device;           // null: the one that is here
  int sm_version = 0;                                     // of a described one: 90 for sm_90
  std::map<std::pair<Conv2dProblem, bool>, Built> plans;  // the second: whether it may be compiled

  /// The first engine of cuDNN's ranking that is of this kind, deterministic and exact enough, and can be built.
  Built search(const Conv2dProblem& p, Conv2dPlan::Kind kind) const {
    const bool compiled = kind == Conv2dPlan::Kind::compiled_at_run_time;
    Built found;
    found.graph = std::make_unique<fe::graph::Graph>();
    fe::graph::Graph& graph = *found.graph;
    if (device) graph.set_device_properties(device).set_sm_version(sm_version);
    describe(p, graph);
    const auto failed = [&](fe::error_t status) {
      if (status.is_bad()) found.reason = "cuDNN says: " + status.get_message();
      return status.is_bad();
    };
    if (failed(graph.validate()) || failed(graph.build_operation_graph(device ? nullptr : handle())) ||
        failed(graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}))) {
      return found;
    }
    std::vector<fe::NumericalNote_t> unwanted{fe::NumericalNote_t::NONDETERMINISTIC,
                                              fe::NumericalNote_t::DOWN_CONVERT_INPUTS,
                                              fe::NumericalNote_t::REDUCED_PRECISION_REDUCTION};
    if (!p.is_bf16 && !p.tf32) unwanted.push_back(fe::NumericalNote_t::TENSOR_CORE);
    graph.deselect_numeric_notes(unwanted);
    const std::vector<fe::BehaviorNote_t> run_time{fe::BehaviorNote_t::RUNTIME_COMPILATION};
    if (compiled) {
      graph.select_behavior_notes(run_time);
    } else {
      graph.deselect_behavior_notes(run_time);
    }
    found.reason = "cuDNN has no such engine";
    for (; found.index < graph.get_execution_plan_count(); ++found.index) {
      std::vector<fe::BehaviorNote_t> notes;
      if (failed(graph.build_plan_at_index(found.index)) ||
          failed(graph.get_plan_name_at_index(found.index, found.engine)) ||
          failed(graph.get_behavior_notes_for_plan_at_index(found.index, notes)) ||
          failed(graph.get_workspace_size_plan_at_index(found.index, found.workspace))) {
        continue;
      }
      found.engine = found.engine.substr(0, found.engine.find('_', found.engine.find("eng")));
      found.notes = text_of(notes);
      found.kind = kind;
      found.reason.clear();
      break;
    }
    return found;
  }
};

Conv2dPlans::Conv2dPlans() : state_(std::make_unique<State>()) { handle(); }

Conv2dPlans::Conv2dPlans(const std::string& description) : state_(std::make_unique<State>()) {
  state_->sm_version = number_of(description, "deviceVer") / 10;
  state_->device = std::make_shared<fe::DeviceProperties>();
  fe::error_t status = state_->device->deserialize({description.begin(), description.end()});
  DIOPTER_CHECK(status.is_good(), "cuDNN does not take the description of a GPU: ", status.get_message());
}

Conv2dPlans::~Conv2dPlans() = default;

const Conv2dPlan& Conv2dPlans::find(const Conv2dProblem& problem, bool may_compile) {
  const auto known = state_->plans.find({problem, may_compile});
  if (known != state_->plans.end()) return known->second;
  if (may_compile) {
    if (const Conv2dPlan& plan = find(problem, false); plan.kind != Conv2dPlan::Kind::none) return plan;
  }
  DIOPTER_CHECK(state_->device || !capturing(),
                "the first convolution of a shape cannot be recorded, cuDNN's plan for it"
                " is not made yet: run the work once before (",
                text_of(problem), ")");
  const auto start = std::chrono::steady_clock::now();
  const Built& built = state_->plans[{problem, may_compile}] =
      state_->search(problem, may_compile ? Conv2dPlan::Kind::compiled_at_run_time : Conv2dPlan::Kind::precompiled);
  log_plan(problem, built, std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count());
  return built;
}

void Conv2dPlans::run(const Conv2dPlan& plan, const Conv2dPointers& at) {
  // cuDNN's interface takes inputs as void*, too.
  std::unordered_map<std::int64_t, void*> pointers;
  const auto add = [&](Name name, const void* address) {
    if (address) pointers.emplace(name, const_cast<void*>(address));
  };
  add(kX, at.x), add(kW, at.w), add(kY, at.y), add(kBias, at.bias), add(kResidual, at.residual);
  const auto& built = static_cast<const Built&>(plan);
  const Scratch<char> workspace(built.workspace);
  fe::error_t status = built.graph->execute_plan_at_index(handle(), pointers, workspace.data(), built.index);
  DIOPTER_CHECK(status.is_good(), "cuDNN failed: ", status.get_message());
}

}  // namespace diopter::cuda
