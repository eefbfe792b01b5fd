// The project's source files and their includes, and what can be wrong with how they are arranged.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

namespace diopter::test {

struct SourceFile {
  std::vector<std::string> includes;  // of the project: what stands between quotes
  std::size_t lines = 0;
  bool asks_for_cuda = false;  // #if of a macro of generated/cuda_kind.h
  /// Classes and enumerations that a header defines in named namespaces: "diopter::cuda::Stream".
  std::vector<std::string> types = {};
};

/// Files by path, relative to the project's root: "kernels/nn/sgd.h".
using SourceTree = std::map<std::string, SourceFile>;

/// All source files (.h, .cpp, .cu, .cuh, .py, .sh, .cmake, CMakeLists.txt) below the folders of the root.
SourceTree read_source_tree(const std::string& root, const std::vector<std::string>& folders);

/// What the files of a folder may include besides each other: folders ("data/readers" without those below it,
/// "data/*" with them) and single files.
struct FolderRule {
  std::string folder;
  std::vector<std::string> may_include;
};

/// `path` without extension and without the suffix of a variant (_cuda, _cudnn, _host, _serial): what counts as one
/// file.
std::string stem_of(const std::string& path);
/// The folder that a file lies in. data/dataset.h, the records that all of data is about, is a folder of its own.
std::string folder_of(const std::string& path);

// Each finding is one line that names the offender; none: all is well.

/// Includes that no rule allows, folders without a rule and rules without a folder.
std::vector<std::string> forbidden_includes(const SourceTree& tree, const std::vector<FolderRule>& rules);
/// A circle of includes between stems, and between folders, each as "a -> b -> a". What CMake generates (generated/*.h)
/// is no file of the tree.
std::vector<std::string> circles_of_files(const SourceTree& tree);
std::vector<std::string> circles_of_folders(const SourceTree& tree);
/// Folders with more than `most` stems.
std::vector<std::string> full_folders(const SourceTree& tree, std::size_t most);
/// Files with more than `most` lines that are not in `allowed` (path -> reason), and entries of `allowed` that need not
/// be there.
std::vector<std::string> long_files(const SourceTree& tree, std::size_t most,
                                    const std::map<std::string, std::string>& allowed);
/// Files that ask which CUDA side the build has and do not include generated/cuda_kind.h, which says it: without, they
/// are compiled as if there were none.
std::vector<std::string> without_cuda_kind(const SourceTree& tree);
/// Types that two headers define under one name: a program with both is undefined, and no compiler or linker says so.
std::vector<std::string> types_of_two_headers(const SourceTree& tree);
/// Folders of tests/ for which there is no such folder in the tree; those of `others` mirror nothing.
std::vector<std::string> tests_without_source(const SourceTree& tree, const std::vector<std::string>& others);

}  // namespace diopter::test
