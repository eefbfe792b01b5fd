#include "tools/command/model.h"

#include <cstdio>

#include "engine/device.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"
#include "retinanet/weights/checkpoint_files.h"
#include "tools/command/command.h"

namespace diopter {

Option add_model_option(Command& command, ModelRequest& request, const std::string& description) {
  return command
      .text("--checkpoint", request.checkpoint, description + ": a checkpoint, or a run folder for its best weights")
      .type("FILE_OR_RUN");
}

void add_model_device_options(Command& command, ModelRequest& request) {
  add_device_option(command, request.device);
  add_precision_option(command, request.precision);
  command.repeated("--set", request.settings, "Overrides a key detect.* of the model, may be repeated")
      .type("KEY=VALUE");
}

LoadedModel open_model(const ModelRequest& request) {
  const std::string file = weights_file(request.checkpoint);
  if (folder_exists(request.checkpoint) && file != best_checkpoint(request.checkpoint)) {
    std::fprintf(stderr, "diopter: %s has no best weights (they need a validation set); the last ones are used\n",
                 printable(request.checkpoint).c_str());
  }
  LoadedModel loaded = load_model(file, device_from_name(request.device), parse_settings(request.settings));
  if (!request.precision.empty()) loaded.model->set_precision(value_of(kPrecisions, request.precision, "--precision"));
  return loaded;
}

}  // namespace diopter
