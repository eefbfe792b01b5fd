// diopter export: a detector as an ONNX model, post-processing included.
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/onnx/export.h"
#include "tools/command/command.h"
#include "tools/command/model.h"
#include "tools/command/thresholds.h"

namespace diopter {

namespace {

constexpr Named<OnnxOptions::Precision> kOnnxPrecisions[] = {{OnnxOptions::Precision::f32, "float"},
                                                             {OnnxOptions::Precision::bf16, "bf16"},
                                                             {OnnxOptions::Precision::fp16, "fp16"}};
constexpr Named<OnnxOptions::Pictures> kOnnxPictures[] = {{OnnxOptions::Pictures::bytes, "bytes"},
                                                          {OnnxOptions::Pictures::floats, "floats"}};

struct ExportRequest {
  ModelRequest model{.checkpoint = {}, .device = "cpu", .precision = name_of(kPrecisions, DType::f32), .settings = {}};
  std::string out, thresholds;
  std::string precision = name_of(kOnnxPrecisions, OnnxOptions::Precision::f32);
  std::string input = name_of(kOnnxPictures, OnnxOptions::Pictures::bytes);
  bool raw = false;
};

void run(const ExportRequest& request) {
  DIOPTER_CHECK(!request.raw || request.thresholds.empty(), "--raw has no scores for --thresholds");
  const LoadedModel loaded = open_model(request.model);
  std::vector<OnnxClass> classes;
  for (std::size_t c = 0; c < loaded.classes.size(); ++c) {
    classes.push_back({loaded.classes[c], loaded.category_ids[c]});
  }
  OnnxOptions options;
  options.precision = value_of(kOnnxPrecisions, request.precision, "--precision");
  options.pictures = value_of(kOnnxPictures, request.input, "--input");
  options.raw = request.raw;
  if (!request.thresholds.empty()) options.thresholds = read_thresholds(request.thresholds, loaded.classes);
  options.best_scores = loaded.thresholds;
  std::error_code ignored;
  DIOPTER_CHECK(!std::filesystem::equivalent(request.model.checkpoint, request.out, ignored), request.out,
                ": is the file that is read");
  const std::string bytes = onnx_model(*loaded.model, classes, options);
  write_file_atomically(request.out, bytes);
  if (const int tile = loaded.model->config().input.tile; tile > 0) {
    std::fprintf(stderr,
                 "diopter: the model takes one tile of input.tile = %d pixels at a time: cutting pictures and "
                 "putting detections together stay outside (docs/onnx.md)\n",
                 tile);
  }
  std::printf("%s: %zu classes, %.1f MB\n", printable(request.out).c_str(), classes.size(),
              static_cast<double>(bytes.size()) / 1e6);
}

}  // namespace

void add_export_command(Command& program) {
  Command command = program.subcommand(
      "export", "Writes a detector as an ONNX model, for onnxruntime and others",
      "export run model.onnx\n"
      "  diopter export run model.onnx --input floats --precision fp16\n\n"
      "The model takes pictures of any size, resized as its metadata says, and gives boxes, scores, labels and "
      "counts:\n"
      "normalisation, network, decoding and non-maximum suppression are inside. docs/onnx.md has the inputs and "
      "outputs,\n"
      "and programs in Python and C++ that run it.");
  const auto request = std::make_shared<ExportRequest>();
  command.text("checkpoint", request->model.checkpoint, "A checkpoint, or a run folder for its best weights")
      .required()
      .type("FILE_OR_RUN");
  command.text("out", request->out, "ONNX file to write").required().type("OUT");
  command
      .choice("--input", request->input, names_in(kOnnxPictures),
              "Pictures that the model takes: bytes [N, H, W, 3], or floats [N, 3, H, W] in 0..1")
      .type("KIND");
  command
      .choice("--precision", request->precision, names_in(kOnnxPrecisions), "Of activations and of the stored weights")
      .type("NAME");
  command.flag("--raw", request->raw, "Stop at logits and box deltas of all anchors");
  command
      .text("--thresholds", request->thresholds,
            "A score for each class, from evaluate --thresholds: detections with less are left out")
      .type("FILE");
  command.repeated("--set", request->model.settings, "Overrides a key detect.* of the model, may be repeated")
      .type("KEY=VALUE");
  command.action([request] { run(*request); });
}

}  // namespace diopter
