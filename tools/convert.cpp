// diopter convert: weights of torchvision and Detectron2 to checkpoints of diopter, and back to torchvision.
#include "retinanet/weights/convert.h"

#include <cstdio>
#include <filesystem>
#include <memory>

#include "kernels/base/text.h"
#include "tools/command/command.h"

namespace diopter {

namespace {

struct ConvertRequest {
  std::string in, out, to = "diopter";
  ConvertOptions options;
};

void run(ConvertRequest request) {
  std::error_code ignored;
  DIOPTER_CHECK(!std::filesystem::equivalent(request.in, request.out, ignored), request.out,
                ": is the file that is read");
  request.options.to_torchvision = request.to == "torchvision";
  const Conversion conversion = convert_weights(request.in, request.options);
  save_checkpoint(request.out, conversion.checkpoint);
  for (const std::string& note : conversion.notes) std::printf("%s\n", printable(note).c_str());
  std::printf("%s: %zu tensors written\n", request.out.c_str(), conversion.checkpoint.tensors.size());
}

}  // namespace

void add_convert_command(Command& program) {
  Command command = program.subcommand(
      "convert", "Converts weights of torchvision and Detectron2, and back to torchvision",
      "convert retinanet_resnet50_fpn_coco-eeacb38b.pth coco.safetensors\n"
      "  diopter convert run/checkpoints/best.safetensors for_torchvision.safetensors --to torchvision\n\n"
      "Reads .safetensors, .pth, .pt and .pkl: RetinaNets and ResNet backbones of torchvision and Detectron2, and\n"
      "checkpoints of diopter. Files are only read: no code in them is run. What is written with --to torchvision "
      "loads\n"
      "there with load_state_dict(safetensors.torch.load_file(OUT), strict=True). docs/weights.md has the details.");
  const auto request = std::make_shared<ConvertRequest>();
  command.text("in", request->in, "Weights").required().type("IN");
  command.text("out", request->out, "Safetensors file to write").required().type("OUT");
  command.choice("--to", request->to, {"diopter", "torchvision"}, "Who will read it: diopter or torchvision")
      .type("NAME");
  command.text("--preset", request->options.preset, "Settings from this preset, but for [model]").type("NAME");
  command.repeated("--set", request->options.settings, "Says what the file does not, may be repeated")
      .type("KEY=VALUE");
  command
      .text("--classes", request->options.classes,
            "Another number of classes, or their names: a COCO .json, or a text file with a name a line")
      .type("N|FILE");
  command.action([request] { run(*request); });
}

}  // namespace diopter
