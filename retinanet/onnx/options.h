// Choices of whoever exports a detector.
#pragma once

#include <vector>

namespace diopter {

struct OnnxOptions {
  /// Of activations and weights. What stays float in docs/precision.md does here, too.
  enum class Precision { f32, bf16, fp16 } precision = Precision::f32;
  /// What the model takes: bytes [N, H, W, 3], or floats [N, 3, H, W] in 0..1; red, green, blue.
  enum class Pictures { bytes, floats } pictures = Pictures::bytes;
  bool raw = false;                   // the outputs are logits and deltas of all anchors
  std::vector<float> thresholds;      // by class: detections with a lower score are left out; empty: none are
  std::vector<double> best_scores{};  // by class: RunState::thresholds, for the metadata only
};

}  // namespace diopter
