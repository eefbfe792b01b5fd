// Files of the repository, by their paths below the source folder.
#pragma once

#include <string>
#include <vector>

namespace diopter::test {

/// Text of a file of the repository.
std::string source_text(const std::string& path);

/// Paths of all files of the project, sorted: what lies in its folders, builds and results left out.
const std::vector<std::string>& source_files();

/// `a/{b,c}.{h,cpp}` as a/b.h, a/b.cpp, a/c.h, a/c.cpp.
std::vector<std::string> without_braces(const std::string& pattern);

/// Whether text is pattern, in which each * stands for any characters but /.
bool matches(const std::string& pattern, const std::string& text);

/// Whether there is a file or folder of this path, or a file of it with an extension (`kernels/detection/match`). The
/// path may hold *.
bool exists_in_tree(const std::string& path);

/// Whether the path of some file ends with these folders and this name (`losses/focal.h`, `gemm_*.cpp`).
bool ends_a_path(const std::string& pattern);

}  // namespace diopter::test
