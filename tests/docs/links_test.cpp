// Every link leads somewhere, every file that a page or a comment names exists, and every picture and page is used.
#include <algorithm>
#include <filesystem>
#include <regex>
#include <set>
#include <sstream>

#include "tests/docs/page.h"
#include "tests/docs/tree.h"
#include "tests/support/files.h"

using namespace diopter::test;

namespace fs = std::filesystem;

namespace {

bool is_external(const std::string& target) {
  return target.starts_with("https://") || target.starts_with("http://") || target.starts_with("mailto:");
}

/// Path below the source folder that a link of a page names.
std::string target_path(const Page& page, const std::string& target) {
  if (target.empty()) return page.path;
  return (fs::path(page.path).parent_path() / target).lexically_normal().generic_string();
}

const Page* page_of(const std::string& path) {
  const auto found = std::find_if(pages().begin(), pages().end(), [&](const Page& p) { return p.path == path; });
  return found == pages().end() ? nullptr : &*found;
}

/// The fault of a link; "" when it has none.
std::string problem_of(const Page& page, const std::string& link) {
  const std::size_t hash = link.find('#');
  const std::string path = target_path(page, link.substr(0, hash));
  if (!exists_in_tree(path) || path.find('*') != std::string::npos) return "no file " + path;
  if (hash == std::string::npos) return "";
  const Page* target = page_of(path);
  const std::string anchor = link.substr(hash + 1);
  if (target == nullptr) return path + " has no headings";
  return std::count(target->anchors.begin(), target->anchors.end(), anchor) ? "" : path + " has no heading #" + anchor;
}

/// Files that pages link to, as paths below the source folder.
std::set<std::string> linked_files() {
  std::set<std::string> linked;
  for (const Page& page : pages()) {
    for (const Link& link : page.links) {
      if (!is_external(link.target)) linked.insert(target_path(page, link.target.substr(0, link.target.find('#'))));
    }
  }
  return linked;
}

/// Whether a path is rightly absent: files of others, what CMake writes into the build folder, and words in capitals,
/// which stand for any name (losses/NAME.h).
bool is_outside(const std::string& path) {
  static const std::regex any_name("(.*/)?(NAME|LAYER|FOLDER|OUTPUT)(/.*|\\..*)?");
  for (const char* file : {"nvtx3/nvToolsExt.h", "sanitizer/tsan_interface.h", "Lib/pickletools.py"}) {
    if (path == file) return true;
  }
  return path.starts_with("generated/") || std::regex_match(path, any_name);
}

/// Files named in a text that do not exist. Looked at are words that begin with a folder of the project
/// (`kernels/nn/sgd.h`, `docs/kernels`), and names of source files alone or with some of their folders
/// (`losses/focal.h`). x.h, x.cpp, x.cu, x_test.cpp stand for the files of any kernel.
std::vector<std::string> missing_files(const std::string& word) {
  static const std::regex in_folder("(cmake|data|docs|engine|kernels|retinanet|tests|tools)/[^.].*"),
      source("[A-Za-z_][^:]*\\.(h|cpp|cu|cuh|cmake|sh|py)"), any_kernel("(.*/)?x(_[a-z]+)?\\.[a-z]+");
  std::vector<std::string> missing;
  for (const std::string& path : without_braces(word.substr(0, word.find(':')))) {
    if (std::regex_match(path, any_kernel) || is_outside(path)) continue;
    const bool whole = std::regex_match(path, in_folder);
    if (whole ? !exists_in_tree(path) : std::regex_match(path, source) && !ends_a_path(path)) missing.push_back(path);
  }
  return missing;
}

/// The comment of a line of source text, "" where there is none.
std::string comment_of(const std::string& path, const std::string& line) {
  const bool hash =
      path.ends_with(".cmake") || path.ends_with(".txt") || path.ends_with(".sh") || path.ends_with(".py");
  const std::size_t begin = line.find(hash ? "#" : "//");
  return begin == std::string::npos ? "" : line.substr(begin);
}

bool is_source(const std::string& path) {
  for (const char* end : {".h", ".cpp", ".cu", ".cuh", ".cmake", ".txt", ".sh", ".py"}) {
    if (path.ends_with(end)) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("docs: the reader of pages sees links, anchors, marks and words") {
  const Page page = parse_page("docs/a.md",
                               "# One `x.h`, two\n[b](b.md#c-d) and `kernels/{a,b}.h`.\n## Two\n## Two\n"
                               "<!-- run with: a b -->\n```sh\ndiopter info   # [no](link)\n```\n![p](images/p.png)\n");
  REQUIRE(page.anchors == std::vector<std::string>{"one-xh-two", "two", "two-1"});
  REQUIRE(page.links.size() == 2);
  REQUIRE(page.links[0].target == "b.md#c-d");
  REQUIRE(page.links[1].target == "images/p.png");
  REQUIRE(page.fences.size() == 1);
  REQUIRE(page.fences[0].line == 6);
  REQUIRE(page.fences[0].language == "sh");
  REQUIRE(page.fences[0].mark == "run with: a b");
  REQUIRE(page.fences[0].text == "diopter info   # [no](link)\n");
  REQUIRE(words_of("see `a/{b,c}.h`, (d/e.cu:12).") == std::vector<std::string>{"see", "a/{b,c}.h", "d/e.cu:12"});
  REQUIRE(without_braces("a/{b,c}.{h,cpp}") == std::vector<std::string>{"a/b.h", "a/b.cpp", "a/c.h", "a/c.cpp"});
}

TEST_CASE("docs: what is not there is reported") {
  REQUIRE(missing_files("kernels/nn/no_such_file.h") == std::vector<std::string>{"kernels/nn/no_such_file.h"});
  REQUIRE(missing_files("kernels/no_such_folder") == std::vector<std::string>{"kernels/no_such_folder"});
  REQUIRE(missing_files("kernels/nn/{sgd,no_such_file}.{h,cpp}").size() == 2);
  REQUIRE(missing_files("no_such_file.cu:12") == std::vector<std::string>{"no_such_file.cu"});
  REQUIRE(missing_files("nn/no_such_*.h").size() == 1);
  REQUIRE(missing_files("detection/sgd.h").size() == 1);
  for (const std::string right :
       {"kernels/nn/sgd.{h,cpp,cu}", "kernels/nn/sgd", "nn/sgd.h", "sg*.cpp", "sgd.h:12", "x.h", "docs/"}) {
    INFO(right);
    REQUIRE(missing_files(right).empty());
  }
  const Page page = parse_page("docs/a.md", "");
  REQUIRE(problem_of(page, "no_such_page.md") == "no file docs/no_such_page.md");
  REQUIRE(problem_of(page, "conventions.md#no-such-heading") == "docs/conventions.md has no heading #no-such-heading");
  REQUIRE(problem_of(page, "../README.md").empty());
}

TEST_CASE("docs: every link of every page leads to a file or a heading") {
  int links = 0;
  for (const Page& page : pages()) {
    for (const Link& link : page.links) {
      if (is_external(link.target)) continue;
      INFO(place(page, link.line) << ": " << link.target);
      CHECK(problem_of(page, link.target) == "");
      ++links;
    }
  }
  REQUIRE(links > 50);
}

TEST_CASE("docs: every file that a page names exists") {
  for (const Page& page : pages()) {
    for (const Word& word : page.words) {
      for (const std::string& path : missing_files(word.text)) {
        INFO(place(page, word.line) << ": " << path);
        CHECK(false);
      }
    }
  }
}

TEST_CASE("docs: every file that a comment names exists") {
  int comments = 0;
  for (const std::string& path : source_files()) {
    if (!is_source(path) || path.starts_with("tests/docs/")) continue;
    std::istringstream lines(source_text(path));
    std::string line;
    for (int number = 1; std::getline(lines, line); ++number) {
      const std::string comment = comment_of(path, line);
      comments += !comment.empty();
      for (const std::string& word : words_of(comment)) {
        for (const std::string& missing : missing_files(word)) {
          INFO(path << ":" << number << ": " << missing);
          CHECK(false);
        }
      }
    }
  }
  REQUIRE(comments > 1000);
}

TEST_CASE("docs: every picture is shown, and every page can be reached") {
  const std::set<std::string> linked = linked_files();
  for (const std::string& file : source_files()) {
    const bool picture = file.starts_with("docs/images/"), page = file.ends_with(".md") && file.starts_with("docs/");
    INFO(file);
    if (picture || page) CHECK(linked.count(file) == 1);
  }
}
