// Files that are either complete or absent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace diopter {

/// Writes the parts one after another to a temporary file in the same folder and renames it to `file`, so that an
/// interrupted run leaves the old file or the new one. Throws Error "FILE: cannot write: reason".
void write_file_atomically(const std::string& file, const std::vector<std::string_view>& parts);
void write_file_atomically(const std::string& file, std::string_view bytes);

}  // namespace diopter
