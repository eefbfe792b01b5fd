// Commands of the pages: those marked to be run are run in an empty folder with small data, the output shown is compared,
// and of all others the options, settings, presets and names of tests exist.
#include <algorithm>
#include <filesystem>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "generated/source_dir.h"
#include "tests/docs/mark.h"
#include "tests/docs/page.h"
#include "tests/docs/tree.h"
#include "tests/support/protocols.h"
#include "tests/tools/program.h"

using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

constexpr bool kHasCuda = std::string_view(DIOPTER_CUDA_KIND) != "off";

/// The program under the name `diopter`, training a small network for a few steps whatever is asked, and data under the
/// names that the pages use.
class Workshop {
 public:
  Workshop() {
    const std::string script = things_.write("bin/diopter", "#!/bin/sh\nif [ \"$1\" = train ]; then set -- \"$@\"" + settings() +
                                                                "; fi\nexec '" DIOPTER_PROGRAM "' \"$@\"\n");
    fs::permissions(script, fs::perms::owner_all);
    things_.write("things/study.toml", replaced(tiny_protocol(), wild(), ""));
    run("shapes --train 10 --val 6 --size 64 --seed 1 --out s");
    for (const char* folder : {"pictures", "new_pictures"}) fs::copy(thing("s/images"), thing(folder));
    for (const char* name : {"train.json", "instances.json"}) fs::copy(thing("s/instances_train.json"), thing(name));
    fs::copy(thing("s/instances_val.json"), thing("val.json"));
    run("train --train-annotations train.json --train-images pictures --val-annotations val.json --val-images pictures"
        " --seed 1 --out run");
    run("detect --checkpoint run/checkpoints/best.safetensors pictures/0000{11..16}.png --out drawn --json detections.json");
    run("compare study.toml --out study");
  }

  /// A thing that blocks may ask for: a file or folder made here, or one of the repository.
  void bring(const std::string& name, const fs::path& into) const {
    INFO(name);
    const fs::path made = thing(name), source = fs::path(DIOPTER_SOURCE_DIR) / name;
    REQUIRE((fs::exists(made) || fs::exists(source)));
    if (fs::exists(into / name)) return;
    if (fs::exists(made)) fs::copy(made, into / name, fs::copy_options::recursive);
    else fs::create_symlink(source, into / name);
  }

  /// Runs a block in a folder.
  Outcome run_block(const std::string& text, const fs::path& folder) const {
    write_bytes((folder / ".block.sh").string(), text);
    return run_shell("cd '" + folder.string() + "' && PATH='" + (things_ / "bin") + "':\"$PATH\" bash -eu .block.sh");
  }

 private:
  static std::string settings() {
    std::string text;
    for (const char* one : {"train.iterations=14", "train.batch_size=2", "model.width=4", "model.groups=4",
                            "model.fpn_channels=8", "model.head_depth=1"}) {
      text += std::string(" --set ") + one;
    }
    return text;
  }

  /// The contestant of the tiny study that diverges.
  static std::string wild() { return tiny_protocol().substr(tiny_protocol().find("\n[[contestant]]\nname = \"wild\"")); }

  fs::path thing(const std::string& name) const { return things_ / ("things/" + name); }

  void run(const std::string& arguments) const {
    const Outcome outcome = run_block("diopter " + arguments, thing(""));
    INFO(arguments << "\n" << outcome.err);
    REQUIRE(outcome.exit_code == 0);
  }

  TemporaryFolder things_;
};

std::vector<std::string> split(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> all;
  for (std::string word; words >> word;) all.push_back(word);
  return all;
}

/// Commands of a shell block: lines joined where they end with \, comments and variables before a command left out, cut at
/// && and ;.
std::vector<std::string> commands_of(const std::string& block) {
  static const std::regex variables("^\\s*([A-Z_]+=(\"[^\"]*\"|\\S*)\\s+)*"), blanks("\\s+$");
  const std::string joined = std::regex_replace(block, std::regex("\\\\\n"), " ");
  const std::string bare = std::regex_replace(joined, std::regex("(^|\\s)#[^\n]*"), "");
  std::vector<std::string> commands;
  std::istringstream lines(std::regex_replace(bare, std::regex("&&|;|\\|"), "\n"));
  for (std::string line; std::getline(lines, line);) {
    commands.push_back(std::regex_replace(std::regex_replace(line, variables, ""), blanks, ""));
  }
  return commands;
}

struct Command {
  std::string where, text;
};

/// Every command of every page: in blocks, run or not, and in prose.
std::vector<Command> all_commands() {
  std::vector<Command> all;
  for (const Page& page : pages()) {
    for (const Fence& fence : page.fences) {
      if (fence.language != "sh") continue;
      for (const std::string& command : commands_of(fence.text)) all.push_back({place(page, fence.line), command});
    }
    for (const Word& span : page.code_spans) {
      for (const std::string& command : commands_of(span.text)) all.push_back({place(page, span.line), command});
    }
  }
  return all;
}

/// Words of a command behind `diopter`, wherever the program lies; none when it is another command.
std::vector<std::string> diopter_arguments(const std::string& command) {
  static const std::regex program("(.*/)?diopter");
  std::vector<std::string> words = split(command);
  const auto found = std::find_if(words.begin(), words.end(), [](const auto& w) { return std::regex_match(w, program); });
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

}  // namespace

TEST_CASE("docs: every block says what the tests do with it") {
  int blocks = 0;
  for (const Page& page : pages()) {
    for (const Fence& fence : page.fences) {
      INFO(place(page, fence.line) << ": ```" << fence.language << " with the mark \"" << fence.mark << "\"");
      CHECK(mark_of(fence).kind != MarkKind::unknown);
      ++blocks;
    }
  }
  REQUIRE(blocks > 20);
}

TEST_CASE("docs: marks") {
  const auto kind = [](const char* language, const char* mark) { return mark_of({1, language, mark, ""}).kind; };
  REQUIRE(kind("sh", "run") == MarkKind::run);
  REQUIRE(kind("sh", "run with: a b") == MarkKind::run);
  REQUIRE(mark_of({1, "sh", "run with: a b", ""}).argument == "a b");
  REQUIRE(kind("sh", "not run: minutes") == MarkKind::not_run);
  REQUIRE(kind("", "output") == MarkKind::output);
  REQUIRE(kind("text", "") == MarkKind::drawing);
  for (const auto& [language, mark] : {std::pair{"sh", ""}, {"sh", "not run"}, {"sh", "run with"}, {"sh", "output"}, {"", ""}, {"cpp", "run"}, {"text", "run"}}) {
    INFO(language << ", " << mark);
    REQUIRE(kind(language, mark) == MarkKind::unknown);
  }
  REQUIRE(holds("a\n  /// b\nc d\n", "a\n// b ... d"));
  REQUIRE_FALSE(holds("a b c", "a c"));
  REQUIRE_FALSE(holds("a b c", "c ... a"));
  REQUIRE(without_numbers("12:30 in -1.5 s\n7 m\n", "s") == "0 in 0 s\n7 m\n");
  REQUIRE(commands_of("A=1 B=\"2 3\" x --y \\\n  z  # no\nu && v; w\n") == std::vector<std::string>{"x --y    z", "u", "v", "w"});
}

TEST_CASE("docs: commands run as they stand, and print what the pages show") {
  const Workshop workshop;
  int ran = 0, compared = 0;
  std::ostringstream left_out;
  for (const Page& page : pages()) {
    const TemporaryFolder folder;
    Outcome last;
    for (const Fence& fence : page.fences) {
      const Mark mark = mark_of(fence);
      INFO(place(page, fence.line) << "\n" << fence.text);
      if (mark.kind == MarkKind::file) folder.write(mark.argument, fence.text);
      if (mark.kind == MarkKind::not_run) left_out << "  " << place(page, fence.line) << ": " << mark.argument << "\n";
      if (mark.kind == MarkKind::run_on_cuda && !kHasCuda) left_out << "  " << place(page, fence.line) << ": no device cuda\n";
      if (mark.kind == MarkKind::run || (mark.kind == MarkKind::run_on_cuda && kHasCuda)) {
        for (const std::string& name : split(mark.argument)) workshop.bring(name, folder.path());
        last = workshop.run_block(fence.text, folder.path());
        INFO("exit code " << last.exit_code << "\n" << last.out << last.err);
        CHECK(last.exit_code == 0);
        ++ran;
      }
      if (mark.kind == MarkKind::output || mark.kind == MarkKind::output_varying) {
        const std::string word = mark.kind == MarkKind::output ? "\n" : mark.argument;
        INFO("printed:\n" << last.out);
        CHECK(holds(without_numbers(last.out, word), without_numbers(fence.text, word)));
        ++compared;
      }
    }
  }
  std::cout << ran << " blocks were run, " << compared << " outputs compared; not run:\n" << left_out.str();
  REQUIRE(ran > 8);
  REQUIRE(compared > 0);
}

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

TEST_CASE("docs: every preset of CMake, and every filter of tests, names something") {
  const std::string presets = source_text("CMakePresets.json");
  std::map<std::string, std::set<std::string>> tests;  // by layer
  static const std::regex test_case("TEST_CASE\\(\\s*\"([^\"]*)\"");
  for (const std::string& path : source_files()) {
    if (!path.starts_with("tests/") || !path.ends_with(".cpp")) continue;
    const std::string text = source_text(path), layer = path.substr(6, path.find('/', 6) - 6);
    for (std::sregex_iterator it(text.begin(), text.end(), test_case), end; it != end; ++it) tests[layer].insert((*it)[1]);
  }
  static const std::regex preset("c(make|test) (--build )?--preset ([a-z][a-z-]*)"), filter("tests/([a-z]+)_tests \"([^\"]*)\"");
  int found = 0;
  for (const Command& command : all_commands()) {
    INFO(command.where << ": " << command.text);
    for (std::sregex_iterator it(command.text.begin(), command.text.end(), preset), end; it != end; ++it, ++found) {
      CHECK(contains(presets, "{\"name\": \"" + std::string((*it)[3]) + "\""));
    }
    for (std::sregex_iterator it(command.text.begin(), command.text.end(), filter), end; it != end; ++it) {
      std::istringstream patterns((*it)[2]);
      for (std::string pattern; std::getline(patterns, pattern, ','); ++found) {
        const std::set<std::string>& names = tests[(*it)[1]];
        INFO("no test is called " << pattern);
        CHECK(std::any_of(names.begin(), names.end(), [&](const std::string& name) {
          return pattern.ends_with('*') ? name.starts_with(pattern.substr(0, pattern.size() - 1)) : name == pattern;
        }));
      }
    }
  }
  REQUIRE(found > 10);
}

TEST_CASE("docs: every setting is a key of the presets or a parameter of a loss") {
  std::set<std::string> keys, sections;
  for (const std::string& path : source_files()) {
    const std::string text = source_text(path);
    if (matches("retinanet/config/presets/*.toml", path)) {
      std::istringstream lines(text);
      std::string section;
      for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("[")) sections.insert(section = line.substr(1, line.find(']') - 1));
        else if (std::islower(static_cast<unsigned char>(line[0]))) keys.insert(section + "." + line.substr(0, line.find(' ')));
      }
    }
    if (matches("*/losses/*.h", path.substr(path.find('/') + 1)) || matches("tests/examples/losses/*.h", path)) {
      static const std::regex parameter("\\{\"([a-z_0-9]+)\", &");
      for (std::sregex_iterator it(text.begin(), text.end(), parameter), end; it != end; ++it) keys.insert("loss." + std::string((*it)[1]));
    }
  }
  REQUIRE(sections.count("train") == 1);
  REQUIRE(keys.count("loss.gamma") == 1);
  static const std::regex file("[a-z_]+\\.(h|cpp|cu|cuh|json|toml|csv|md|py)");
  int found = 0;
  const auto check = [&](const std::string& where, const std::string& text) {
    for (const std::string& word : words_of(text)) {
      const std::size_t dot = word.find('.');
      if (dot == std::string::npos || sections.count(word.substr(0, dot)) == 0) continue;
      if (word.find('/') != std::string::npos || std::regex_match(word, file)) continue;
      INFO(where << ": there is no setting " << word);
      CHECK(std::any_of(keys.begin(), keys.end(), [&](const std::string& key) { return matches(word, key); }));
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
