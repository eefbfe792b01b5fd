// How the convolutions of a network are computed on GPUs that need not be here: asks cuDNN, which plans for a described
// GPU as for a real one, through the decision that the program itself takes (kernels/nn/conv2d/conv2d_route.h).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kernels/nn/conv2d/conv2d_route.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Names of the GPUs that the program has a description of (tools/kernels/gpus).
std::vector<std::string> gpu_names();

/// cuDNN's JSON of a GPU's properties: of one of gpu_names(), or a file. Throws Error where there is no such thing.
std::string gpu_description(const std::string& name_or_file);

/// The levels of all convolutions of a network and of their gradients, each once: in float and bf16, in training and
/// detection, for pictures of 4:3 at each of the configuration's sizes and the batch sizes `images`.
std::vector<cuda::Conv2dProblem> convolution_problems(const Config& config, int classes,
                                                      const std::vector<int>& images);

/// How a problem is computed on a GPU.
struct PlanRow {
  enum class Kind { precompiled, product, compiled_at_run_time, none };

  std::string gpu;
  cuda::Conv2dProblem problem;
  Kind kind;
  std::string route;           // in words: "cuDNN", "cuBLASLt", "cuDNN, then the epilogue", ...
  std::string engine = {};     // cuDNN's, or ""
  std::string notes = {};      // behaviour notes of the engine
  std::int64_t workspace = 0;  // bytes
  std::string reason = {};     // why it is not fast: what cuDNN says when it is asked for a precompiled plan

  bool is_fast() const { return kind == Kind::precompiled || kind == Kind::product; }
};

/// Rows for a GPU whose libraries offer this, in the order of the problems.
std::vector<PlanRow> plan_rows(const std::string& gpu, const std::vector<cuda::Conv2dProblem>& problems,
                               const cuda::Conv2dOffers& offers);

/// Rows for a described GPU, in the order of the problems. Throws Error in a build without cuDNN.
std::vector<PlanRow> plan_rows(const std::string& gpu, const std::string& description,
                               const std::vector<cuda::Conv2dProblem>& problems);

/// The same for the GPU that is here: plans that are compiled at run time are compiled.
std::vector<PlanRow> plan_rows_here(const std::vector<cuda::Conv2dProblem>& problems);

}  // namespace diopter
