// Detectors as ONNX models: network and post-processing, for onnxruntime and whatever else reads them (docs/onnx.md).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "retinanet/network/retinanet.h"
#include "retinanet/onnx/options.h"

namespace diopter {

struct OnnxClass {
  std::string name;
  std::int64_t id;  // in the annotations that the model was trained on
};

/// "protobuf 3.21.12", or "none" in a build that cannot export.
std::string onnx_library();

/// The bytes of a model file. The detector is on the CPU and in float. Throws Error in a build without ONNX, saying how
/// to get one, and when the network has an operation that cannot be exported.
std::string onnx_model(const RetinaNet& model, const std::vector<OnnxClass>& classes, const OnnxOptions& options);

}  // namespace diopter
