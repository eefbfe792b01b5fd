// The part of YAML that data.yaml files are written in, and darknet's `key = value` files.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace diopter {

/// Keys of the outermost level with their values: one text, or those of a list. Class names are the values of "names".
using YoloSettings = std::map<std::string, std::vector<std::string>>;

/// Reads `key: value`, `key: [a, b]`, `names: {0: a, 1: b}` (over several lines as well), and lists with one `- value`
/// or one `0: value` per line below their key. Throws Error with file and line for names whose numbers are not 0, 1, 2,
/// ...
YoloSettings read_data_yaml(const std::string& file);

/// Reads `key = value` lines.
YoloSettings read_darknet_data(const std::string& file);

/// Class names, one per line. Throws Error with file and line for names that check_class_name refuses.
std::vector<std::string> read_name_lines(const std::string& file);

}  // namespace diopter
