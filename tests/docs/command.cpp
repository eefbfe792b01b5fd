#include "tests/docs/command.h"

#include <regex>
#include <sstream>

#include "tests/docs/page.h"

namespace diopter::test {

std::vector<std::string> split(const std::string& text) {
  std::istringstream words(text);
  std::vector<std::string> all;
  for (std::string word; words >> word;) all.push_back(word);
  return all;
}

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

}  // namespace diopter::test
