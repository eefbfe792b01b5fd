// Names in commands and pages: options, settings, presets of CMake and filters of tests exist.
#include <algorithm>
#include <cctype>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/docs/command.h"
#include "tests/docs/page.h"
#include "tests/docs/tree.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace {

/// Words of a command behind `diopter`, wherever the program lies; none when it is another command.
std::vector<std::string> diopter_arguments(const std::string& command) {
  static const std::regex program("(.*/)?diopter");
  std::vector<std::string> words = split(command);
  const auto found =
      std::find_if(words.begin(), words.end(), [](const auto& w) { return std::regex_match(w, program); });
  if (found == words.end()) return {};
  return {found + 1, words.end()};
}

/// Help of a command, with that of its own subcommand where it has one.
std::string help_of(const std::vector<std::string>& arguments) {
  static std::map<std::string, std::string> known;
  std::string name = arguments[0];
  if (arguments.size() > 1 && std::isalpha(static_cast<unsigned char>(arguments[1][0]))) name += " " + arguments[1];
  if (const auto it = known.find(name); it != known.end()) return it->second;
  return known[name] = run_diopter(arguments[0] + " --help").out + run_diopter("'" + arguments[0] + "' --help").out +
                       run_diopter(name + " --help").out;
}

/// Names of the tests of a layer, by its folder below tests/.
std::map<std::string, std::set<std::string>> test_names() {
  static const std::regex test_case("TEST_CASE\\(\\s*\"([^\"]*)\"");
  std::map<std::string, std::set<std::string>> names;
  for (const std::string& path : source_files()) {
    if (!path.starts_with("tests/") || !path.ends_with(".cpp")) continue;
    const std::string text = source_text(path), layer = path.substr(6, path.find('/', 6) - 6);
    for (std::sregex_iterator it(text.begin(), text.end(), test_case), end; it != end; ++it)
      names[layer].insert((*it)[1]);
  }
  return names;
}

/// Settings, "train.lr", and their sections, "train".
struct Settings {
  std::set<std::string> keys, sections;
};

void add_keys_of_preset(const std::string& text, Settings& settings) {
  std::istringstream lines(text);
  std::string section;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("[")) {
      section = line.substr(1, line.find(']') - 1);
      settings.sections.insert(section);
    } else if (!line.empty() && std::islower(static_cast<unsigned char>(line[0]))) {
      settings.keys.insert(section + "." + line.substr(0, line.find(' ')));
    }
  }
}

void add_parameters_of_loss(const std::string& text, Settings& settings) {
  static const std::regex parameter("\\{\"([a-z_0-9]+)\", &");
  for (std::sregex_iterator it(text.begin(), text.end(), parameter), end; it != end; ++it) {
    settings.keys.insert("loss." + std::string((*it)[1]));
  }
}

Settings all_settings() {
  Settings settings;
  for (const std::string& path : source_files()) {
    if (matches("retinanet/config/presets/*.toml", path)) add_keys_of_preset(source_text(path), settings);
    for (const char* losses : {"kernels/detection/losses/*.h", "tests/examples/losses/*.h"}) {
      if (matches(losses, path)) add_parameters_of_loss(source_text(path), settings);
    }
  }
  return settings;
}

/// Words of a text that look like settings: a section, a dot, and more than the ending of a file.
std::vector<std::string> settings_in(const std::string& text, const std::set<std::string>& sections) {
  static const std::regex file("[a-z_]+\\.(h|cpp|cu|cuh|json|toml|csv|md|py)");
  std::vector<std::string> found;
  for (const std::string& word : words_of(text)) {
    const std::size_t dot = word.find('.');
    if (dot == std::string::npos || sections.count(word.substr(0, dot)) == 0) continue;
    if (word.find('/') == std::string::npos && !std::regex_match(word, file)) found.push_back(word);
  }
  return found;
}

}  // namespace

TEST_CASE("docs: every option of diopter exists") {
  int options = 0;
  for (const Command& command : all_commands()) {
    const std::vector<std::string> arguments = diopter_arguments(command.text);
    if (arguments.empty() || !std::islower(static_cast<unsigned char>(arguments[0][0]))) continue;
    const std::string help = help_of(arguments);
    for (const std::string& word : arguments) {
      if (!word.starts_with("--")) continue;
      INFO(command.where << ": " << command.text << ": " << word);
      CHECK(std::regex_search(help, std::regex(word.substr(0, word.find('=')) + "[ \n,]")));
      ++options;
    }
  }
  REQUIRE(options > 100);
}

TEST_CASE("docs: every preset of CMake exists") {
  const std::string presets = source_text("CMakePresets.json");
  static const std::regex preset("c(make|test) (--build )?--preset ([a-z][a-z-]*)");
  int found = 0;
  for (const Command& command : all_commands()) {
    INFO(command.where << ": " << command.text);
    for (std::sregex_iterator it(command.text.begin(), command.text.end(), preset), end; it != end; ++it, ++found) {
      CHECK(contains(presets, "{\"name\": \"" + std::string((*it)[3]) + "\""));
    }
  }
  REQUIRE(found > 5);
}

TEST_CASE("docs: every filter of tests fits a test") {
  const std::map<std::string, std::set<std::string>> tests = test_names();
  static const std::regex filter("tests/([a-z]+)_tests \"([^\"]*)\"");
  int found = 0;
  for (const Command& command : all_commands()) {
    for (std::sregex_iterator it(command.text.begin(), command.text.end(), filter), end; it != end; ++it) {
      std::istringstream patterns((*it)[2]);
      for (std::string pattern; std::getline(patterns, pattern, ','); ++found) {
        INFO(command.where << ": " << command.text << ": no test is called " << pattern);
        const std::set<std::string>& names = tests.at((*it)[1]);
        CHECK(std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
        }));
      }
    }
  }
  REQUIRE(found > 5);
}

TEST_CASE("docs: every setting is a key of the presets or a parameter of a loss") {
  const Settings settings = all_settings();
  REQUIRE(settings.sections.count("train") == 1);
  REQUIRE(settings.keys.count("loss.gamma") == 1);
  int found = 0;
  const auto check = [&](const std::string& where, const std::string& text) {
    for (const std::string& word : settings_in(text, settings.sections)) {
      INFO(where << ": there is no setting " << word);
      CHECK(std::any_of(settings.keys.begin(), settings.keys.end(),
                        [&](const std::string& key) { return matches(word, key); }));
      ++found;
    }
  };
  for (const Page& page : pages()) {
    if (page.path == "CHANGELOG.md") continue;  // tells of settings of the past, too
    for (const Word& span : page.code_spans) check(place(page, span.line), span.text);
    for (const Fence& fence : page.fences) {
      if (fence.language == "sh" || fence.language == "toml") check(place(page, fence.line), fence.text);
    }
  }
  REQUIRE(found > 50);
}
