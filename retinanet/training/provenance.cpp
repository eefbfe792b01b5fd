#include "retinanet/training/provenance.h"

#include <algorithm>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/json.h"
#include "kernels/base/text.h"
#include "kernels/base/utf8.h"

namespace diopter {

namespace {

using Json = nlohmann::ordered_json;

Json json_of(const Facts& facts) {
  Json json = Json::object();
  for (const auto& [name, value] : facts) json[name] = value;
  return json;
}

Facts facts_of(const Json& json) {
  Facts facts;
  for (const auto& [name, value] : json.items()) facts.emplace_back(name, value);
  return facts;
}

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }

/// $'...' of bash: every byte can be written.
std::string quoted_bytes(const std::string& argument) {
  std::string quoted = "$'";
  for (const char c : argument) {
    if (is_control(c) || static_cast<unsigned char>(c) >= 0x80) {
      quoted += formatted("\\x%02X", static_cast<unsigned char>(c));
    } else {
      if (c == '\'' || c == '\\') quoted += '\\';
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string quoted(const std::string& argument) {
  const bool readable = is_utf8(argument) && std::none_of(argument.begin(), argument.end(), is_control);
  return readable ? shell_word(argument) : quoted_bytes(argument);
}

}  // namespace

std::string origin_file(const std::string& folder) { return folder + "/origin.json"; }

void append_start(const std::string& folder, const Start& start) {
  std::vector<Start> all = read_starts(folder);
  all.push_back(start);
  Json starts = Json::array();
  for (const Start& s : all) {
    starts.push_back({{"date", s.date},
                      {"folder", s.folder},
                      {"command", s.command},
                      {"machine", json_of(s.machine)},
                      {"versions", json_of(s.versions)},
                      {"data", json_of(s.data)}});
  }
  write_file_atomically(origin_file(folder), json_text(starts, 1) + "\n");
}

std::vector<Start> read_starts(const std::string& folder) {
  const std::string file = origin_file(folder);
  std::vector<Start> starts;
  if (!file_exists(file)) return starts;
  try {
    for (const Json& s : parse_ordered_json(read_file(file))) {
      starts.push_back({s.at("date"), s.at("folder"), s.at("command"), facts_of(s.at("machine")),
                        facts_of(s.at("versions")), facts_of(s.at("data"))});
    }
  } catch (const nlohmann::json::exception&) {
    fail(file, ": does not say how a run was started");
  }
  return starts;
}

std::string shell_command(const std::vector<std::string>& arguments) { return join(arguments, " ", quoted); }

}  // namespace diopter
