// Whole files: read into memory, written complete or not at all.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

namespace diopter {

/// Whether there is such a file or folder; false too for names that the system refuses.
bool file_exists(const std::string& file);
bool folder_exists(const std::string& folder);

/// The extension in lower case, with its dot: ".jpg"; "" when there is none.
std::string extension_of(const std::string& file);

/// The first `limit` bytes of a file, or all where it has fewer. Throws Error "FILE: no such file", "FILE: is a folder,
/// not a file" or "FILE: cannot be read: reason".
std::string read_file(const std::string& file, std::size_t limit = std::numeric_limits<std::size_t>::max());

/// The lines of a text file, without line ends and byte order mark. Errors as read_file.
std::vector<std::string> read_lines(const std::string& file);

/// Writes the parts one after another to a temporary file in the same folder and renames it to `file`, so that an
/// interrupted run leaves the old file or the new one. Throws Error "FILE: cannot write: reason".
void write_file_atomically(const std::string& file, const std::vector<std::string_view>& parts);
void write_file_atomically(const std::string& file, std::string_view bytes);

}  // namespace diopter
