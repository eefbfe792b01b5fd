// The convolutions on a GPU: cuDNN's graph API, through NVIDIA's header library cudnn-frontend. This is its only user.
//
// A plan is what cuDNN compiles for one shape of one level, one pass and one set of epilogue parts. It is made at its
// first use, from cuDNN's own ranking without measuring, and kept by the host thread. Engines that may give other bits
// the next time are left out; so are tensor cores for float (TF32), unless allow_tf32. Where cuDNN has no engine for
// the convolution with its epilogue, the convolution is run alone and the epilogue is a kernel of ours; where it has
// none for bf16 (odd numbers of channels, on some GPUs), the convolution runs in float between casts.
#include "kernels/nn/conv2d/conv2d.h"

#define CUDNN_FRONTEND_SKIP_JSON_LIB
#include <cudnn_frontend.h>

#include <atomic>
#include <compare>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "kernels/base/check.h"
#include "kernels/device/scratch.h"
#include "kernels/device/stream.h"
#include "kernels/nn/elementwise.h"

namespace diopter::cuda {

namespace {

namespace fe = cudnn_frontend;

std::atomic<bool> tf32_allowed{false};

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

enum class Pass : int { forward, data, weight };

/// Names of the tensors in a graph. x is also dx, w also dw, y also dz.
enum Name : std::int64_t { kX = 1, kW, kY, kScale, kBias, kResidual };
using Pointers = std::unordered_map<std::int64_t, void*>;

/// All that a plan depends on.
struct Problem {
  Pass pass;
  bool is_bf16;
  LevelShape in, out;
  int in_channels, out_channels, kernel, stride, padding;
  int alignment;  // of activations and weights, in bytes
  bool tf32;
  bool scale = false, bias = false, residual = false, relu = false;  // parts of the epilogue
  int channel_alignment = 16;                                        // of scale and bias
  bool float_result = false;                                         // of bf16 inputs

  auto operator<=>(const Problem&) const = default;
};

struct Plan {
  fe::graph::Graph graph;
  std::int64_t workspace = 0;
  std::string problem;  // why there is none; "" when there is
};

using TensorPointer = std::shared_ptr<fe::graph::Tensor_attributes>;

/// Describes the problem to cuDNN.
void describe(const Problem& p, fe::graph::Graph& graph) {
  const auto type = p.is_bf16 ? fe::DataType_t::BFLOAT16 : fe::DataType_t::FLOAT;
  const auto result = p.float_result ? fe::DataType_t::FLOAT : type;
  graph.set_io_data_type(type)
      .set_intermediate_data_type(fe::DataType_t::FLOAT)
      .set_compute_data_type(fe::DataType_t::FLOAT);
  // cuDNN names sizes in the order N, C, H, W; the strides say that channels come last.
  struct Size {
    std::int64_t n, c, h, w;
    std::vector<std::int64_t> dim() const { return {n, c, h, w}; }
    std::vector<std::int64_t> stride() const { return {h * w * c, 1, w * c, c}; }
  };
  const Size x{p.in.n, p.in_channels, p.in.h, p.in.w}, w{p.out_channels, p.in_channels, p.kernel, p.kernel};
  const Size y{p.out.n, p.out_channels, p.out.h, p.out.w}, channel{1, p.out_channels, 1, 1};
  const auto input = [&](Name name, const Size& size, fe::DataType_t stored) {
    return graph.tensor(fe::graph::Tensor_attributes()
                            .set_uid(name)
                            .set_dim(size.dim())
                            .set_stride(size.stride())
                            .set_alignment(name == kScale || name == kBias ? p.channel_alignment : p.alignment)
                            .set_data_type(stored));
  };
  const auto geometry = [&](auto attributes) {
    return attributes.set_padding({p.padding, p.padding}).set_stride({p.stride, p.stride}).set_dilation({1, 1});
  };
  const auto output = [&](const TensorPointer& tensor, Name name, const Size& size, fe::DataType_t stored) {
    tensor->set_output(true)
        .set_uid(name)
        .set_dim(size.dim())
        .set_stride(size.stride())
        .set_alignment(p.alignment)
        .set_data_type(stored);
  };

  if (p.pass == Pass::data) {
    output(graph.conv_dgrad(input(kY, y, type), input(kW, w, type), geometry(fe::graph::Conv_dgrad_attributes())), kX,
           x, result);
  } else if (p.pass == Pass::weight) {
    output(graph.conv_wgrad(input(kY, y, type), input(kX, x, type), geometry(fe::graph::Conv_wgrad_attributes())), kW,
           w, result);
  } else {
    auto z = graph.conv_fprop(input(kX, x, type), input(kW, w, type), geometry(fe::graph::Conv_fprop_attributes()));
    const auto apply = [&](fe::PointwiseMode_t mode, const TensorPointer& operand) {
      z = graph.pointwise(z, operand, fe::graph::Pointwise_attributes().set_mode(mode));
    };
    if (p.scale) apply(fe::PointwiseMode_t::MUL, input(kScale, channel, fe::DataType_t::FLOAT));
    if (p.bias) apply(fe::PointwiseMode_t::ADD, input(kBias, channel, fe::DataType_t::FLOAT));
    if (p.residual) apply(fe::PointwiseMode_t::ADD, input(kResidual, y, result));
    if (p.relu) z = graph.pointwise(z, fe::graph::Pointwise_attributes().set_mode(fe::PointwiseMode_t::RELU_FWD));
    output(z, kY, y, result);
  }
}

/// The first engine of cuDNN's ranking that is deterministic and exact enough.
std::unique_ptr<Plan> make_plan(const Problem& p) {
  auto plan = std::make_unique<Plan>();
  fe::graph::Graph& graph = plan->graph;
  describe(p, graph);
  std::vector<fe::NumericalNote_t> unwanted{fe::NumericalNote_t::NONDETERMINISTIC,
                                            fe::NumericalNote_t::DOWN_CONVERT_INPUTS,
                                            fe::NumericalNote_t::REDUCED_PRECISION_REDUCTION};
  if (!p.is_bf16 && !p.tf32) unwanted.push_back(fe::NumericalNote_t::TENSOR_CORE);
  const auto failed = [&](fe::error_t status) {
    if (status.is_bad()) plan->problem = "cuDNN says: " + status.get_message();
    return status.is_bad();
  };
  if (failed(graph.validate()) || failed(graph.build_operation_graph(handle())) ||
      failed(graph.create_execution_plans({fe::HeurMode_t::A, fe::HeurMode_t::FALLBACK}))) {
    return plan;
  }
  graph.deselect_numeric_notes(unwanted);
  if (failed(graph.check_support()) || failed(graph.build_plans())) return plan;
  failed(graph.get_workspace_size(plan->workspace));
  return plan;
}

const Plan& plan_for(const Problem& problem) {
  thread_local std::map<Problem, std::unique_ptr<Plan>> plans;
  std::unique_ptr<Plan>& plan = plans[problem];
  if (!plan) plan = make_plan(problem);
  return *plan;
}

bool can_run(const Problem& problem) { return plan_for(problem).problem.empty(); }

void run(const Problem& problem, Pointers pointers) {
  const Plan& plan = plan_for(problem);
  DIOPTER_CHECK(plan.problem.empty(), "cuDNN has no engine for a convolution of ", problem.in.n, "x", problem.in.h, "x",
                problem.in.w, "x", problem.in_channels, " to ", problem.out_channels, " channels, kernel ",
                problem.kernel, ", stride ", problem.stride, ": ", plan.problem);
  std::erase_if(pointers, [](const auto& entry) { return !entry.second; });
  const Scratch<char> workspace(plan.workspace);
  fe::error_t status = plan.graph.execute(handle(), pointers, workspace.data());
  DIOPTER_CHECK(status.is_good(), "cuDNN failed: ", status.get_message());
}

/// Of all the addresses: at most 16, what the widest access needs.
template <class... T>
int alignment_of(const T*... p) {
  const std::uintptr_t all = (reinterpret_cast<std::uintptr_t>(p) | ... | 16);
  return static_cast<int>(all & (~all + 1));
}

/// Inputs of type T, results of type Y.
template <class T, class Y>
Problem problem_of(Pass pass, const Conv2dShape& s, int level, int alignment) {
  return {.pass = pass,
          .is_bf16 = std::is_same_v<T, bf16>,
          .in = s.in.level[level],
          .out = s.out().level[level],
          .in_channels = s.in_channels,
          .out_channels = s.out_channels,
          .kernel = s.kernel,
          .stride = s.stride,
          .padding = s.padding,
          .alignment = alignment,
          .tf32 = tf32_allowed,
          .float_result = !std::is_same_v<T, Y>};
}

/// cuDNN's interface takes inputs as void* too.
void* untyped(const void* p) { return const_cast<void*>(p); }

/// One of the tensors of a convolution.
template <class T>
struct Operand {
  Name name;
  T* data;
  std::int64_t size;
};

/// A convolution without an epilogue. Where cuDNN has no engine for it in bf16, it runs in float between casts.
template <class T, class Y>
void run_plain(Problem problem, const Operand<const T>& a, const Operand<const T>& b, const Operand<Y>& result) {
  const auto run_with = [&](const void* a_data, const void* b_data, void* result_data) {
    run(problem, {{a.name, untyped(a_data)}, {b.name, untyped(b_data)}, {result.name, result_data}});
  };
  if constexpr (std::is_same_v<T, bf16>) {
    if (!can_run(problem) && problem.pass == Pass::weight) {
      problem.float_result = false;  // some engines only know bf16 results
      if (can_run(problem)) {
        const Scratch<bf16> rounded(result.size);
        run_with(a.data, b.data, rounded.data());
        cast(result.size, static_cast<const bf16*>(rounded.data()), result.data);
        return;
      }
    }
    if (!can_run(problem)) {
      problem.is_bf16 = problem.float_result = false;
      problem.alignment = 16;
      const Scratch<float> wide_a(a.size), wide_b(b.size), wide(result.size);
      cast(a.size, a.data, wide_a.data());
      cast(b.size, b.data, wide_b.data());
      run_with(wide_a.data(), wide_b.data(), wide.data());
      cast(result.size, static_cast<const float*>(wide.data()), result.data);
      return;
    }
  }
  run_with(a.data, b.data, result.data);
}

std::int64_t weight_count(const Conv2dShape& s) {
  return std::int64_t{s.out_channels} * s.kernel * s.kernel * s.in_channels;
}

template <class T, class Y>
void forward(const Conv2dForwardArgs<T, Y>& args) {
  validate(args.shape);
  const Conv2dShape& s = args.shape;
  const Levels out = s.out();
  for (int l = 0; l < s.in.count; ++l) {
    if (s.in.level[l].n == 0) continue;
    const T* x = args.x + s.in.offset(l) * s.in_channels;
    const std::int64_t first = out.offset(l) * s.out_channels, size = out.level[l].rows() * s.out_channels;
    Y* y = args.y + first;
    Conv2dEpilogue<Y> e = args.epilogue;
    if (e.residual) e.residual += first;

    const Problem plain = problem_of<T, Y>(Pass::forward, s, l, alignment_of(x, args.w, y, e.residual));
    Problem fused = plain;
    fused.scale = e.scale, fused.bias = e.bias, fused.residual = e.residual, fused.relu = e.relu;
    fused.channel_alignment = alignment_of(e.scale, e.bias);
    const bool in_place = e.residual == y;  // nothing says that cuDNN reads a residual before it writes there
    if (!in_place && can_run(fused)) {
      run(fused, {{kX, untyped(x)},
                  {kW, untyped(args.w)},
                  {kY, y},
                  {kScale, untyped(e.scale)},
                  {kBias, untyped(e.bias)},
                  {kResidual, untyped(e.residual)}});
      continue;
    }
    const Scratch<Y> scratch(in_place ? size : 0);
    Y* z = in_place ? scratch.data() : y;
    run_plain<T, Y>(plain, {kX, x, s.in.level[l].rows() * s.in_channels}, {kW, args.w, weight_count(s)}, {kY, z, size});
    conv2d_epilogue(out.level[l].rows(), s.out_channels, z, e, y);
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
    run_plain<T, T>(problem_of<T, T>(Pass::data, s, l, alignment_of(from, w, to)),
                    {kY, from, out.level[l].rows() * s.out_channels}, {kW, w, weight_count(s)},
                    {kX, to, s.in.level[l].rows() * s.in_channels});
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
    run_plain<T, float>(problem_of<T, float>(Pass::weight, s, l, alignment_of(from, gradient, to)),
                        {kX, from, s.in.level[l].rows() * s.in_channels},
                        {kY, gradient, out.level[l].rows() * s.out_channels}, {kW, to, size});
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
