// Differentiable operations on feature maps, channels last. Each is one function: forward above, backward below it.
// A feature map is a Variable [N, H, W, C]; a Pyramid is several of them in one matrix.
#pragma once

#include <vector>

#include "engine/conv2d_params.h"
#include "engine/tape.h"

namespace diopter {

class ShardTurns;

/// Feature maps of several levels as one tensor [rows, C], level-major.
struct Pyramid {
  Variable rows;
  Levels levels;

  /// Level l as a tensor [N, H, W, C] sharing memory.
  Tensor level(int l) const;
  int channels() const { return static_cast<int>(rows.shape()[1]); }
};

/// y = relu?(conv(x, w) * scale + bias + residual), w [out, k, k, in]. A bf16 x takes the weights' bf16 copy; their
/// gradient is float. Throws Error when the shapes do not fit.
Variable conv2d(const Variable& x, const Variable& w, const Conv2dParams& params);
Pyramid conv2d(const Pyramid& x, const Variable& w, const Conv2dParams& params);

/// The same values as f32 or bf16, rounded; x itself where it has the type already.
Variable cast(const Variable& x, DType dtype);
Variable relu(const Variable& x);
Variable sigmoid(const Variable& x);
/// a + b, equal shapes.
Variable add(const Variable& a, const Variable& b);

/// Statistics of a batch norm that are not learned: updated by batch_norm, read by frozen norms. Float [C].
struct RunningStatistics {
  Tensor mean, var;
};

/// Normalises by the batch's statistics and updates the running ones. gamma, beta [C]. With `shards`: by the statistics
/// of all shards of the batch, of which x is one; waits for the device, both ways.
Variable batch_norm(const Variable& x, const Variable& gamma, const Variable& beta, const RunningStatistics& running,
                    float momentum, float eps, ShardTurns* shards = nullptr);
/// y = x scale[c] + shift[c] with constants: an evaluated or frozen norm.
Variable channel_affine(const Variable& x, const Tensor& scale, const Tensor& shift);

/// groups must divide C. gamma, beta [C]. With relu: relu of the norm, in the same pass.
Variable group_norm(const Variable& x, const Variable& gamma, const Variable& beta, int groups, float eps,
                    bool relu = false);
Pyramid group_norm(const Pyramid& x, const Variable& gamma, const Variable& beta, int groups, float eps,
                   bool relu = false);

Pyramid relu(const Pyramid& x);

Variable max_pool(const Variable& x, int kernel, int stride, int padding);
/// Nearest neighbour, to height x width.
Variable upsample(const Variable& x, int height, int width);
/// The same to the height and width of `like`.
Variable upsample(const Variable& x, const Variable& like);

/// Puts feature maps of equal N and C together.
Pyramid concat_levels(const std::vector<Variable>& maps);

/// Sum of all elements, [1]. For tests and small things; losses sum by themselves.
Variable sum(const Variable& x);

}  // namespace diopter
