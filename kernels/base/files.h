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
/// not a file" or "FILE: cannot be read: reason"; OutOfResources where the system is to blame, not the file.
std::string read_file(const std::string& file, std::size_t limit = std::numeric_limits<std::size_t>::max());

/// Throws the Error of read_file for an `errno` of the system.
[[noreturn]] void fail_to_read(const std::string& file, int error);

/// The lines of a text file, without line ends and byte order mark. Errors as read_file.
std::vector<std::string> read_lines(const std::string& file);

/// Whether what is written is on the disk when the call returns, so that it survives a power cut, or whenever the
/// system likes: enough for what can be made again, as pictures with detections, and much faster for many small files.
enum class OnDisk { now, later };

/// Writes the parts one after another to a temporary file in the same folder and renames it to `file`, so that whatever
/// happens leaves the old file or the new one. A pipe or a device is written straight. Throws Error "FILE: cannot
/// write: reason".
void write_file_atomically(const std::string& file, const std::vector<std::string_view>& parts,
                           OnDisk on_disk = OnDisk::now);
void write_file_atomically(const std::string& file, std::string_view bytes, OnDisk on_disk = OnDisk::now);

/// Adds the text at the end of a file, which is made where there is none. Where there is no room for all of it, the
/// file stays as it was. Throws Error "FILE: cannot write: reason".
void append_to_file(const std::string& file, std::string_view text);

/// Waits until what has been appended to the file is on the disk; does nothing where there is no such file. Errors as
/// append_to_file.
void put_on_disk(const std::string& file);

/// Whether a file's name is one that write_file_atomically gives to what is not finished: it ends in ".tmp12" or
/// ".tmp12-3", the number of a process and which of its files.
bool is_temporary_file(std::string_view name);

/// Removes the temporary files of write_file_atomically that killed programs have left in a folder and in the folders
/// below it; those of a program that still writes stay. Returns how many there were.
int remove_temporary_files(const std::string& folder);

}  // namespace diopter
