// What `diopter train` is asked for, and the settings that follow from it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "retinanet/config/config.h"
#include "retinanet/config/setting.h"
#include "tools/command/reading.h"

namespace diopter {

struct TrainRequest {
  std::string device = "auto", preset, config, out, loss, prior;
  std::vector<std::string> train_annotations, val_annotations;
  std::string train_images, val_images;
  Reading reading;
  std::vector<std::string> settings;
  std::int64_t seed = -1, profile = 0, batch = 0;
  double lr = -1, epochs = 0, minutes = 0;  // not given
  std::int64_t patience = -1;
  std::string stream;
  bool resume = false, change = false, no_doctor = false, find_lr = false;
};

/// The configuration of a new run: the preset's, changed by the file of --config and the options. Throws Error for what
/// no configuration may have.
Config config_of(const TrainRequest& request);

/// Whether the options say how many iterations.
bool states_iterations(const TrainRequest& request);

/// train.iterations for --epochs passes over the training set, rounded up.
Setting iterations_of_epochs(const TrainRequest& request, const Config& config, const Dataset& training);

/// The settings of a run that is resumed: its own are those of the same command, so that others are meant as changes.
/// --epochs and the rules of model.prior and loss.class_weights find their numbers again; train.minutes have become
/// iterations once and for all.
Settings settings_of_resumption(const TrainRequest& request, const Dataset& training);

}  // namespace diopter
