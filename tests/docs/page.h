// Markdown pages of the project, taken apart for the tests of what they say.
#pragma once

#include <string>
#include <vector>

namespace diopter::test {

/// A fenced block. `mark` is the text of an HTML comment on the line above it, "" where there is none:
///
///     <!-- run with: pictures val.json -->
///     ```sh
///
/// docs/conventions.md lists the marks.
struct Fence {
  int line;  // of the opening fence, from 1
  std::string language, mark, text;
};

struct Link {
  int line;
  std::string target;
};

/// Words of a page that may be a path or a name of a file.
struct Word {
  int line;
  std::string text;
};

struct Page {
  std::string path;  // below the source folder
  std::vector<Fence> fences;
  std::vector<Link> links;           // of texts and pictures
  std::vector<std::string> anchors;  // of the headings, as GitHub makes them
  std::vector<Word> words;           // all of prose, code and fences; targets of links left out
  std::vector<Word> code_spans;      // what stands between single `
};

Page parse_page(const std::string& path, const std::string& text);

/// All pages of the project, sorted by path. Those of fixtures tell of programs of the past and are left as they are.
const std::vector<Page>& pages();

/// "docs/weights.md:12", as compilers name places.
std::string place(const Page& page, int line);

/// Words of a text: what stands between blanks, quotes, brackets and the like, without punctuation at its end. { } and
/// * are parts of words.
std::vector<std::string> words_of(const std::string& text);

}  // namespace diopter::test
