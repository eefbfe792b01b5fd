#include "tools/train/train_request.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/config/presets.h"
#include "retinanet/detection/class_weights.h"
#include "retinanet/doctor/prior.h"
#include "retinanet/network/input.h"
#include "retinanet/training/run_folder.h"

namespace diopter {

namespace {

constexpr const char* kDefaultPreset = "small";

/// What overrides the preset or the checkpoint.
Settings settings_of(const TrainRequest& request) {
  Settings settings = parse_settings(request.settings);
  if (!request.loss.empty()) {
    settings.insert(settings.begin(), {kLossKey, parse_loss(request.loss, "--loss " + request.loss)});
  }
  if (!request.prior.empty())
    settings.push_back(parse_setting("model.prior=" + request.prior, "--prior " + request.prior));
  if (request.seed >= 0) settings.push_back({"train.seed", request.seed});
  if (request.lr >= 0) settings.push_back({"train.lr", request.lr});
  if (request.batch > 0) settings.push_back({"train.batch_size", request.batch});
  if (request.minutes > 0) settings.push_back({"train.minutes", request.minutes});
  if (request.patience >= 0) settings.push_back({"train.patience", request.patience});
  return settings;
}

}  // namespace

Config config_of(const TrainRequest& request) {
  Config config = preset(request.preset.empty() ? kDefaultPreset : request.preset);
  if (!request.config.empty()) override_config(config, read_file(request.config), request.config);
  apply_settings(config, settings_of(request));
  check_config(config);
  return config;
}

bool states_iterations(const TrainRequest& request) {
  const Settings settings = settings_of(request);
  return std::any_of(settings.begin(), settings.end(),
                     [](const Setting& setting) { return setting.key == "train.iterations"; });
}

Setting iterations_of_epochs(const TrainRequest& request, const Config& config, const Dataset& training) {
  DIOPTER_CHECK(!states_iterations(request), "--epochs and --set train.iterations exclude each other");
  DIOPTER_CHECK(config.train.minutes == 0, "--epochs and train.minutes exclude each other");
  const double per_step = static_cast<double>(config.train.batch_size) * config.train.accumulate;
  const double iterations = std::ceil(request.epochs * views_per_epoch(training, loader_options(config)) / per_step);
  constexpr double kMost = 1e12;
  DIOPTER_CHECK(iterations <= kMost, "--epochs ", request.epochs, ": too many");
  return {"train.iterations", static_cast<std::int64_t>(iterations)};
}

Settings settings_of_resumption(const TrainRequest& request, const Dataset& training) {
  Settings settings = settings_of(request);
  const auto below = [&settings](const Settings& base) { settings.insert(settings.begin(), base.begin(), base.end()); };
  if (!request.config.empty()) below(read_settings(read_file(request.config), request.config));
  const std::string file = config_file(request.out);
  if (!file_exists(file)) return settings;  // Trainer::resume says what is missing
  Config config = parse_config(read_file(file), file);
  if (!request.preset.empty()) below(preset_settings_of_run(request.preset, settings, config));
  const Config::Train before = config.train;
  apply_settings(config, settings);
  if (config.train.minutes > 0 && !states_iterations(request)) {
    DIOPTER_CHECK(config.train.minutes == before.minutes, request.out, ": train.minutes (", before.minutes,
                  ") have become train.iterations = ", before.iterations,
                  " when the run began: another length is --set train.minutes=0 --set train.iterations=N");
    settings.push_back({"train.iterations", before.iterations});
  }
  if (request.epochs > 0) settings.push_back(iterations_of_epochs(request, config, training));
  const Config found = with_prior(with_class_weights(config, training), training);
  const auto add_found = [&settings](const char* key, const auto& asked, const auto& numbers) {
    if (asked.rule == numbers.rule) return;
    settings.push_back({key, numbers.values.size() == 1 ? Value(numbers.values[0]) : Value(numbers.values)});
  };
  add_found("loss.class_weights", config.loss.class_weights, found.loss.class_weights);
  add_found("model.prior", config.model.prior, found.model.prior);
  return settings;
}

}  // namespace diopter
