// Commands that the pages show.
#pragma once

#include <string>
#include <vector>

namespace diopter::test {

/// A command of a page: in a shell block, run or not, or in prose.
struct Command {
  std::string where;  // "docs/weights.md:12"
  std::string text;
};

std::vector<Command> all_commands();

/// Commands of a shell block: lines joined where they end with \, comments and variables before a command left out, cut
/// at &&, ; and |.
std::vector<std::string> commands_of(const std::string& block);

/// Words between blanks.
std::vector<std::string> split(const std::string& text);

}  // namespace diopter::test
