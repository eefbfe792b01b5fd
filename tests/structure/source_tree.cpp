#include "tests/structure/source_tree.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <stdexcept>
#include <string_view>

namespace diopter::test {

namespace {

using Graph = std::map<std::string, std::set<std::string>>;

bool is_source(const std::filesystem::path& path) {
  static const std::set<std::string> extensions{".h", ".cpp", ".cu", ".cuh", ".py", ".sh", ".cmake"};
  return extensions.count(path.extension().string()) > 0 || path.filename() == "CMakeLists.txt";
}

const std::regex kCudaKind("if.*DIOPTER_(WITH_CUDA|HOST_EXECUTOR|WITH_CUDNN)");

/// Finds the types of a header, line after line, in clang-format's layout.
class TypeFinder {
 public:
  void read(const std::string& line, std::vector<std::string>& types) {
    static const std::regex opening("^(inline )?namespace ?([A-Za-z_0-9:]*) ?\\{");
    static const std::regex type("^(struct|class|enum|enum class|union) ([A-Za-z_0-9]+)( final)?( ?:[^;]*)? \\{");
    std::smatch match;
    if (std::regex_search(line, match, opening)) {
      open_.push_back(match[2]);
    } else if (line.starts_with("}  // namespace") && !open_.empty()) {
      open_.pop_back();
    } else if (std::regex_search(line, match, type) && std::count(open_.begin(), open_.end(), "") == 0) {
      std::string name;
      for (const std::string& space : open_) name += space + "::";
      types.push_back(name + match[2].str());
    }
  }

 private:
  std::vector<std::string> open_;  // namespaces; "" has no name
};

SourceFile read_source(const std::filesystem::path& path) {
  SourceFile file;
  const bool header = path.extension() == ".h" || path.extension() == ".cuh";
  TypeFinder finder;
  std::ifstream in(path);
  if (!in) throw std::runtime_error(path.string() + ": cannot be read");
  constexpr std::string_view kInclude = "#include \"";
  for (std::string line; std::getline(in, line);) {
    ++file.lines;
    if (header) finder.read(line, file.types);
    if (line.starts_with("#") && std::regex_search(line, kCudaKind)) file.asks_for_cuda = true;
    if (!line.starts_with(kInclude)) continue;
    const std::size_t begin = kInclude.size();
    file.includes.push_back(line.substr(begin, line.find('"', begin) - begin));
  }
  return file;
}

std::string parent(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "" : path.substr(0, slash);
}

bool allows(const std::string& entry, const std::string& include) {
  if (entry.ends_with("/*")) return include.starts_with(entry.substr(0, entry.size() - 1));
  return include == entry || folder_of(include) == entry;
}

/// Includes between what `name_of` makes of the files' paths; a name's includes of itself are left out.
template <class NameOf>
Graph graph_of(const SourceTree& tree, NameOf name_of) {
  Graph graph;
  for (const auto& [path, file] : tree) {
    for (const std::string& include : file.includes) {
      if (tree.count(include) > 0 && name_of(include) != name_of(path)) graph[name_of(path)].insert(name_of(include));
    }
  }
  return graph;
}

/// Walks depth first; `way` leads to `name`. Each edge back onto the way closes a circle.
void walk(const Graph& graph, const std::string& name, std::vector<std::string>& way, std::set<std::string>& done,
          std::vector<std::string>& circles) {
  const auto seen = std::find(way.begin(), way.end(), name);
  if (seen != way.end()) {
    std::string circle;
    for (auto i = seen; i != way.end(); ++i) circle += *i + " -> ";
    circles.push_back(circle + name);
    return;
  }
  if (done.count(name) > 0) return;
  way.push_back(name);
  const auto edges = graph.find(name);
  if (edges != graph.end()) {
    for (const std::string& next : edges->second) walk(graph, next, way, done, circles);
  }
  way.pop_back();
  done.insert(name);
}

std::vector<std::string> circles_of(const Graph& graph) {
  std::vector<std::string> circles, way;
  std::set<std::string> done;
  for (const auto& [name, edges] : graph) walk(graph, name, way, done, circles);
  return circles;
}

}  // namespace

SourceTree read_source_tree(const std::string& root, const std::vector<std::string>& folders) {
  SourceTree tree;
  for (const std::string& folder : folders) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(std::filesystem::path(root) / folder)) {
      if (!entry.is_regular_file() || !is_source(entry.path())) continue;
      tree[std::filesystem::relative(entry.path(), root).generic_string()] = read_source(entry.path());
    }
  }
  return tree;
}

std::string stem_of(const std::string& path) {
  std::string stem = path.substr(0, path.rfind('.'));
  for (const std::string_view variant : {"_cuda", "_cudnn", "_host", "_serial"}) {
    if (stem.ends_with(variant)) return stem.substr(0, stem.size() - variant.size());
  }
  return stem;
}

std::string folder_of(const std::string& path) { return path == "data/dataset.h" ? path : parent(path); }

std::vector<std::string> forbidden_includes(const SourceTree& tree, const std::vector<FolderRule>& rules) {
  std::vector<std::string> findings;
  std::set<std::string> folders;
  for (const auto& [path, file] : tree) {
    const std::string folder = folder_of(path);
    const auto rule = std::find_if(rules.begin(), rules.end(), [&](const FolderRule& r) { return r.folder == folder; });
    const bool first = folders.insert(folder).second;
    if (rule == rules.end()) {
      if (first) findings.push_back(folder + ": the table of folders has no row for it");
      continue;
    }
    for (const std::string& include : file.includes) {
      if (folder_of(include) == folder) continue;
      if (std::none_of(rule->may_include.begin(), rule->may_include.end(),
                       [&](const std::string& entry) { return allows(entry, include); })) {
        findings.push_back(path + " includes " + include + ", which " + folder + " may not");
      }
    }
  }
  for (const FolderRule& rule : rules) {
    if (folders.count(rule.folder) == 0)
      findings.push_back(rule.folder + ": in the table of folders, but not in the tree");
  }
  return findings;
}

std::vector<std::string> circles_of_files(const SourceTree& tree) { return circles_of(graph_of(tree, stem_of)); }

std::vector<std::string> circles_of_folders(const SourceTree& tree) { return circles_of(graph_of(tree, folder_of)); }

std::vector<std::string> full_folders(const SourceTree& tree, std::size_t most) {
  std::map<std::string, std::set<std::string>> stems;
  for (const auto& [path, file] : tree) stems[parent(path)].insert(stem_of(path));
  std::vector<std::string> findings;
  for (const auto& [folder, names] : stems) {
    if (names.size() > most) {
      findings.push_back(folder + ": " + std::to_string(names.size()) + " subjects, at most " + std::to_string(most));
    }
  }
  return findings;
}

std::vector<std::string> long_files(const SourceTree& tree, std::size_t most,
                                    const std::map<std::string, std::string>& allowed) {
  std::vector<std::string> findings;
  for (const auto& [path, file] : tree) {
    if (file.lines > most && allowed.count(path) == 0) {
      findings.push_back(path + ": " + std::to_string(file.lines) + " lines, at most " + std::to_string(most));
    }
  }
  for (const auto& [path, reason] : allowed) {
    const auto file = tree.find(path);
    if (file == tree.end()) {
      findings.push_back(path + ": is allowed to be long, but is not there");
    } else if (file->second.lines <= most) {
      findings.push_back(path + ": is allowed to be long, but has only " + std::to_string(file->second.lines) +
                         " lines");
    }
  }
  return findings;
}

std::vector<std::string> without_cuda_kind(const SourceTree& tree) {
  std::vector<std::string> findings;
  for (const auto& [path, file] : tree) {
    const bool includes =
        std::find(file.includes.begin(), file.includes.end(), "generated/cuda_kind.h") != file.includes.end();
    if (file.asks_for_cuda && !includes) findings.push_back(path);
  }
  return findings;
}

std::vector<std::string> types_of_two_headers(const SourceTree& tree) {
  std::map<std::string, std::string> header_of;
  std::vector<std::string> findings;
  for (const auto& [path, file] : tree) {
    for (const std::string& type : file.types) {
      const auto [first, is_new] = header_of.emplace(type, path);
      if (!is_new && first->second != path) findings.push_back(type + ": " + first->second + " and " + path);
    }
  }
  return findings;
}

std::vector<std::string> tests_without_source(const SourceTree& tree, const std::vector<std::string>& others) {
  std::set<std::string> folders;
  for (const auto& [path, file] : tree) {
    for (std::string folder = parent(path); !folder.empty(); folder = parent(folder)) folders.insert(folder);
  }
  std::vector<std::string> findings;
  for (const std::string& folder : folders) {
    if (!folder.starts_with("tests/")) continue;
    const std::string mirrored = folder.substr(std::string_view("tests/").size());
    if (folders.count(mirrored) > 0) continue;
    if (std::none_of(others.begin(), others.end(),
                     [&](const std::string& other) { return folder == other || folder.starts_with(other + "/"); })) {
      findings.push_back(folder + ": mirrors " + mirrored + ", which is not there");
    }
  }
  return findings;
}

}  // namespace diopter::test
