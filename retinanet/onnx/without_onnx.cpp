// Stand-in for the export in builds without ONNX's protobuf messages.
#include "kernels/base/check.h"
#include "retinanet/onnx/export.h"

namespace diopter {

std::string onnx_library() { return "none"; }

std::string onnx_model(const RetinaNet&, const std::vector<OnnxClass>&, const OnnxOptions&) {
  fail(
      "this diopter was built without ONNX: install libonnx-dev and libprotobuf-dev (tools/setup.sh does), then "
      "configure with -DDIOPTER_ONNX=on and build again");
}

}  // namespace diopter
