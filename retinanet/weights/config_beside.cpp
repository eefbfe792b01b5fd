#include "retinanet/weights/config_beside.h"

#include <filesystem>
#include <set>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"

namespace diopter {

namespace {

using nlohmann::json;

json parsed(const std::string& config) {
  try {
    return parse_json(read_file(config, std::size_t{1} << 24));
  } catch (const json::exception& error) {
    fail(config, ": ", json_problem(error.what()));
  }
}

/// Name and number of an output; a number of -1 for an entry that is neither kind.
std::pair<std::string, std::int64_t> entry(const std::string& key, const json& value) {
  if (value.is_number_integer()) return {key, value.get<std::int64_t>()};  // label_dict
  const bool number = !key.empty() && key.size() < 10 && key.find_first_not_of("0123456789") == std::string::npos;
  if (value.is_string() && number) return {value.get<std::string>(), std::stoll(key)};  // id2label
  return {key, -1};
}

}  // namespace

std::vector<std::string> class_names_beside(const std::string& file, int outputs) {
  const std::string config = (std::filesystem::path(file).parent_path() / "config.json").string();
  if (!std::filesystem::is_regular_file(config)) return {};
  const json settings = parsed(config);
  for (const char* table : {"label_dict", "id2label"}) {
    if (!settings.is_object() || !settings.contains(table) || !settings.at(table).is_object()) continue;
    const json& classes = settings.at(table);
    std::vector<std::string> names(static_cast<std::size_t>(outputs));
    std::set<std::string> known;
    for (const auto& item : classes.items()) {
      const auto [name, number] = entry(item.key(), item.value());
      DIOPTER_CHECK(number >= 0 && number < outputs && names[static_cast<std::size_t>(number)].empty() &&
                        known.insert(name).second,
                    config, ": ", table, ": ", json_text(json(item.key())), ": must name one of the ", outputs,
                    " outputs of ", file, ", each once");
      names[static_cast<std::size_t>(number)] = name;
    }
    DIOPTER_CHECK(classes.size() == names.size(), config, ": ", table, ": names ", classes.size(), " classes, ", file,
                  " has ", outputs);
    return names;
  }
  return {};
}

}  // namespace diopter
