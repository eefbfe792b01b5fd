// Provenance of a run or a study, as origin.json in its folder keeps it: what to type to repeat it, and on what.
#pragma once

#include <string>
#include <utility>
#include <vector>

namespace diopter {

/// Names and values, in the order in which they are shown.
using Facts = std::vector<std::pair<std::string, std::string>>;

/// One start of the program; a run that is resumed has several.
struct Start {
  std::string date;     // UTC
  std::string folder;   // in which the command was given
  std::string command;  // as a shell takes it
  Facts machine, versions, data;
};

std::string origin_file(const std::string& folder);
/// Adds a start to the folder's origin.json.
void append_start(const std::string& folder, const Start& start);
/// All starts; none when there is no such file. Throws Error when it holds something else.
std::vector<Start> read_starts(const std::string& folder);

/// The arguments as a POSIX shell takes them, quoted where that is needed; bytes that are no UTF-8 text, and control
/// characters, as bash's $'\xFF'.
std::string shell_command(const std::vector<std::string>& arguments);

}  // namespace diopter
