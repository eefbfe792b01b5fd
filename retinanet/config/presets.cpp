#include "retinanet/config/presets.h"

#include <map>

#include "kernels/base/check.h"
#include "kernels/base/did_you_mean.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"

namespace diopter {

const std::map<std::string, std::string>& preset_files();

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const auto& file : preset_files()) names.push_back(file.first);
  return names;
}

const std::string& preset_text(const std::string& name) {
  const auto found = preset_files().find(name);
  DIOPTER_CHECK(found != preset_files().end(), "unknown preset ", name, hint_with_list(name, preset_names()));
  return found->second;
}

std::string format_preset(const std::string& name) {
  const std::string& text = preset_text(name);
  return text.substr(0, text.find('[')) + format_config(preset(name), Comments::yes);
}

Config preset(const std::string& name) { return parse_config(preset_text(name), "preset " + name); }

const std::string& original_preset(const std::string& name) {
  static const std::string small = "small", small_sgd = "small_sgd";
  return name == small ? small_sgd : name;
}

Settings preset_settings_of_run(const std::string& name, const Settings& others, const Config& run) {
  const auto has_its_optimizer = [&](const std::string& candidate) {
    Config config = preset(candidate);
    apply_settings(config, others);
    return config.train.optimizer == run.train.optimizer;
  };
  const std::string& original = original_preset(name);
  const bool is_original = !has_its_optimizer(name) && has_its_optimizer(original);
  Settings settings = read_settings(preset_text(is_original ? original : name), "--preset " + name);
  std::erase_if(settings, [&](const Setting& setting) {
    return (setting.key == "model.weights" && run.model.weights.empty()) ||
           (setting.key.starts_with("augment.") && run.augment.ramp_epochs == 0);
  });
  return settings;
}

}  // namespace diopter
