#include "retinanet/weights/run_state.h"

#include <cstring>
#include <optional>
#include <stdexcept>

#include "kernels/base/json.h"
#include "kernels/base/text.h"
#include "retinanet/config/config_error.h"
#include "retinanet/config/config_text.h"
#include "retinanet/config/configure.h"
#include "retinanet/detection/targets.h"

namespace diopter {

namespace {

constexpr const char* kFormatName = "diopter ";  // and the number
constexpr const char* kVersion = DIOPTER_VERSION;
constexpr const char* kVersionKey = "version";

void check_format(const Checkpoint& checkpoint, const std::string& text) {
  const std::optional<double> format =
      text.starts_with(kFormatName) ? parse_number(text.substr(std::strlen(kFormatName))) : std::nullopt;
  DIOPTER_CHECK(format && *format >= 1, checkpoint.file, ": its metadata name the format '", text,
                "', which is none of Diopter's");
  DIOPTER_CHECK(*format <= kCheckpointFormat, checkpoint.file, ": has the format '", text,
                "' of a newer Diopter; this one (", kVersion, ") reads formats up to ", kCheckpointFormat);
}

Config parse_config_of(const Checkpoint& checkpoint, const std::string& text) {
  const std::string place = checkpoint.file + " (configuration)";
  try {
    Config config = parse_config(text, place);
    check_config(config);
    return config;
  } catch (const UnknownKey& error) {
    const auto version = checkpoint.metadata.find(kVersionKey);
    fail(checkpoint.file, ": its configuration has the key ", error.key(), ", which this program (", kVersion,
         ") does not know; it was written by a newer one",
         version == checkpoint.metadata.end() ? "" : " (" + version->second + ")");
  } catch (const ConfigError& error) {
    if (!error.where().empty()) throw;
    fail(place, ": ", error.what());
  }
}

/// A list of integers; for anything else json::exception.
std::vector<std::int64_t> integers(const nlohmann::json& list) {
  std::vector<std::int64_t> values;
  for (const nlohmann::json& value : list.get_ref<const nlohmann::json::array_t&>()) {
    // A number without a sign is stored as unsigned; get would convert other numbers, too, whether they fit or not.
    if (value.is_number_unsigned()) {
      values.push_back(static_cast<std::int64_t>(value.get_ref<const nlohmann::json::number_unsigned_t&>()));
    } else {
      values.push_back(value.get_ref<const nlohmann::json::number_integer_t&>());
    }
  }
  return values;
}

/// A score for each class, or none at all; for anything else json::exception or std::out_of_range.
std::vector<double> scores(const nlohmann::json& list, std::size_t classes) {
  std::vector<double> values;
  for (const nlohmann::json& value : list.get_ref<const nlohmann::json::array_t&>()) {
    if (!value.is_number()) throw std::out_of_range("no number");
    values.push_back(value.get<double>());
    if (!(values.back() >= 0 && values.back() <= 1)) throw std::out_of_range("no score");
  }
  if (!values.empty() && values.size() != classes) throw std::out_of_range("other classes");
  return values;
}

std::string text_of(const std::vector<SettingChange>& changes) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const SettingChange& c : changes)
    list.push_back({{"iteration", c.iteration}, {"key", c.key}, {"before", c.before}, {"after", c.after}});
  return json_text(list);
}

/// Throws json::exception for anything but such a list.
std::vector<SettingChange> changes_of(const std::string& text) {
  std::vector<SettingChange> changes;
  const nlohmann::json list = parse_json(text);
  for (const nlohmann::json& c : list.get_ref<const nlohmann::json::array_t&>())
    changes.push_back({c.at("iteration"), c.at("key"), c.at("before"), c.at("after")});
  return changes;
}

}  // namespace

bool is_diopter_checkpoint(const Checkpoint& checkpoint) {
  const auto format = checkpoint.metadata.find("format");
  return format != checkpoint.metadata.end() && format->second.starts_with(kFormatName);
}

RunState parse_run_state(const Checkpoint& checkpoint) {
  const auto text = [&](const char* key) {
    const auto found = checkpoint.metadata.find(key);
    DIOPTER_CHECK(found != checkpoint.metadata.end(), checkpoint.file, ": not a checkpoint of diopter train (no ", key,
                  " in its metadata)");
    return found->second;
  };
  const auto text_or = [&](const char* key, const char* before) {
    return checkpoint.metadata.count(key) ? text(key) : before;
  };
  RunState state;
  check_format(checkpoint, text("format"));
  state.config = parse_config_of(checkpoint, text("config"));
  try {
    state.classes = parse_json(text("classes")).get<std::vector<std::string>>();
    state.category_ids = integers(parse_json(text("category_ids")));
    state.changes = changes_of(text_or("changes", "[]"));
    state.iteration = std::stoll(text("iteration"));
    state.normaliser = std::stod(text("normaliser"));
    for (const char* name : kLossMemories) {
      const auto memory = parse_json(text_or(name, "[]")).get<std::vector<float>>();
      if (!memory.empty()) state.loss_memory[name] = memory;
    }
    state.best_ap = std::stod(text("best_ap"));
    state.average_updates = std::stoll(text("average_updates"));
    state.evaluated = std::stoll(text_or("evaluated", "0"));  // not in files of 0.1, as both hashes
    state.thresholds = scores(parse_json(text_or("thresholds", "[]")), state.classes.size());
    state.stale = std::stoll(text_or("stale", "0"));
    state.left_out = std::stoll(text_or("left_out", "0"));
  } catch (const nlohmann::json::exception&) {
    fail(checkpoint.file,
         ": its metadata holds no lists of classes, of what the loss remembers, of thresholds or of changed settings");
  } catch (const std::logic_error&) {
    fail(checkpoint.file, ": its metadata holds something that is not a number, or not a score for each class");
  }
  state.data = text_or("data", "");
  state.validation_data = text_or("validation_data", "");
  DIOPTER_CHECK(state.classes.size() == state.category_ids.size(), checkpoint.file, ": its metadata names ",
                state.classes.size(), " classes and ", state.category_ids.size(), " category ids");
  return state;
}

void put_run_state(Checkpoint& checkpoint, const RunState& state) {
  const auto number = [](double value) { return json_text(nlohmann::json(value)); };
  checkpoint.metadata = {{"format", kFormatName + std::to_string(kCheckpointFormat)},
                         {kVersionKey, kVersion},
                         {"config", format_config(state.config)},
                         {"classes", json_text(nlohmann::json(state.classes))},
                         {"category_ids", json_text(nlohmann::json(state.category_ids))},
                         {"iteration", std::to_string(state.iteration)},
                         {"normaliser", number(state.normaliser)},
                         {"best_ap", number(state.best_ap)},
                         {"average_updates", std::to_string(state.average_updates)},
                         {"evaluated", std::to_string(state.evaluated)},
                         {"data", state.data},
                         {"validation_data", state.validation_data}};
  if (!state.thresholds.empty()) checkpoint.metadata["thresholds"] = json_text(nlohmann::json(state.thresholds));
  if (state.stale > 0) checkpoint.metadata["stale"] = std::to_string(state.stale);
  if (state.left_out > 0) checkpoint.metadata["left_out"] = std::to_string(state.left_out);
  for (const auto& [name, memory] : state.loss_memory) checkpoint.metadata[name] = json_text(nlohmann::json(memory));
  if (!state.changes.empty()) checkpoint.metadata["changes"] = text_of(state.changes);
}

}  // namespace diopter
