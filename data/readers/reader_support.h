// What the readers of VOC, CSV and YOLO files share: text, lists of files, numbering of classes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"

namespace diopter {

/// The whole file. Throws Error "FILE: reason".
std::string read_text(const std::filesystem::path& file);

/// Its lines, without line ends and byte order mark.
std::vector<std::string> read_lines(const std::filesystem::path& file);

/// Without blanks and line ends at both ends.
std::string_view trim(std::string_view text);

/// The number that the whole text is; "nan" and "inf" are numbers too.
std::optional<double> parse_number(std::string_view text);

/// Throws Error "PLACE: ..." for the name of a class that is empty or not UTF-8, which checkpoints cannot hold.
void check_class_name(const std::string& name, const std::string& place);

/// Extension in lower case, with its dot.
std::string extension_of(const std::filesystem::path& file);

/// Whether the extension is one that read_image knows, .xml or .txt.
bool is_picture(const std::filesystem::path& file);
bool is_xml(const std::filesystem::path& file);
bool is_text(const std::filesystem::path& file);

/// Whether there is such a file or folder; false too for names that the system refuses.
bool file_exists(const std::filesystem::path& file);
bool folder_exists(const std::filesystem::path& folder);

/// Names (without the folder) of the files in `folder` that `wanted` accepts, sorted. Throws Error "FOLDER: reason".
std::vector<std::string> list_files(const std::filesystem::path& folder, bool (*wanted)(const std::filesystem::path&));

/// Numbers class names while a reader meets them: in a given order, or by name once all are known.
class ClassNumbers {
 public:
  /// `given`: the only classes allowed, in their order; empty: any.
  explicit ClassNumbers(const std::vector<std::string>& given);

  /// Number of the class, provisional until finish(). Throws Error "PLACE: class 'x' is not one of ..." for a class
  /// that is not among the given ones, and as check_class_name.
  int number(const std::string& name, const std::string& place);

  /// Sets the categories, with ids from 1, and the final numbers in the annotations.
  void finish(Dataset& dataset) const;

 private:
  bool fixed_;
  std::vector<std::string> names_;
};

/// "'a', 'b', 'c'", cut short after some names.
std::string quoted_list(const std::vector<std::string>& names);

}  // namespace diopter
