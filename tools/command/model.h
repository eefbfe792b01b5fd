// Models that commands run: --checkpoint, --device, --precision and --set.
#pragma once

#include <string>
#include <vector>

#include "retinanet/weights/weights.h"
#include "tools/command/options.h"

namespace diopter {

struct ModelRequest {
  std::string checkpoint, device = "auto", precision;
  std::vector<std::string> settings;  // "detect.KEY=VALUE"
};

/// Adds --checkpoint; `description` is what is to be done with the model.
Option add_model_option(Command& command, ModelRequest& request, const std::string& description);

/// Adds --device, --exact, --precision and --set.
void add_model_device_options(Command& command, ModelRequest& request);

/// Loads the model. Says on stderr which weights are taken of a run folder that has no best ones. Errors as load_model.
LoadedModel open_model(const ModelRequest& request);

}  // namespace diopter
