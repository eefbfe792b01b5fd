#include "tests/docs/page.h"

#include <algorithm>
#include <cctype>
#include <regex>
#include <sstream>

#include "tests/docs/tree.h"

namespace diopter::test {

namespace {

std::string trimmed(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t"), last = text.find_last_not_of(" \t");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

/// The text of a line that is an HTML comment and nothing else.
std::string comment_of(const std::string& line) {
  const std::string text = trimmed(line);
  if (!text.starts_with("<!--") || !text.ends_with("-->")) return "";
  return trimmed(text.substr(4, text.size() - 7));
}

/// GitHub's anchor of a heading: lower case, letters, digits, - and _ only, blanks as -.
std::string anchor_of(const std::string& heading) {
  const std::string text = std::regex_replace(heading, std::regex("\\[([^\\]]*)\\]\\([^)]*\\)"), "$1");
  std::string anchor;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (std::isalnum(byte) || byte >= 0x80 || c == '-' || c == '_') anchor += static_cast<char>(std::tolower(byte));
    if (c == ' ') anchor += '-';
  }
  return anchor;
}

/// Takes links and code spans out of a line of prose; what is left is words.
void parse_prose(std::string line, int number, Page& page) {
  static const std::regex span("`([^`]+)`"), link("\\]\\(([^)\\s]+)\\)");
  for (std::sregex_iterator it(line.begin(), line.end(), span), end; it != end; ++it) {
    page.code_spans.push_back({number, (*it)[1]});
  }
  const std::string without_code = std::regex_replace(line, span, "");
  for (std::sregex_iterator it(without_code.begin(), without_code.end(), link), end; it != end; ++it) {
    page.links.push_back({number, (*it)[1]});
  }
  line = std::regex_replace(line, link, "]");
  for (const std::string& word : words_of(line)) page.words.push_back({number, word});
}

std::vector<Page> read_pages() {
  std::vector<Page> all;
  for (const std::string& path : source_files()) {
    if (path.ends_with(".md") && path.find("/fixtures/") == std::string::npos)
      all.push_back(parse_page(path, source_text(path)));
  }
  return all;
}

}  // namespace

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  const auto end_word = [&] {
    while (!word.empty() && (word.back() == '.' || word.back() == ':')) word.pop_back();
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  int braces = 0;
  for (const char c : text) {
    braces += (c == '{') - (c == '}');
    const bool part =
        std::isalnum(static_cast<unsigned char>(c)) || (c != 0 && std::string("_-./{}*:").find(c) != std::string::npos);
    if (part || (c == ',' && braces > 0))
      word += c;
    else
      end_word();
  }
  end_word();
  return words;
}

Page parse_page(const std::string& path, const std::string& text) {
  Page page{path, {}, {}, {}, {}, {}};
  std::istringstream lines(text);
  std::string line, line_above;
  bool inside = false;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (trimmed(line).starts_with("```")) {
      inside = !inside;
      if (inside) page.fences.push_back({number, trimmed(trimmed(line).substr(3)), comment_of(line_above), ""});
    } else if (inside) {
      page.fences.back().text += line + "\n";
      for (const std::string& word : words_of(line)) page.words.push_back({number, word});
    } else {
      if (line.starts_with("#")) {
        const std::string anchor = anchor_of(trimmed(line.substr(line.find_first_not_of('#'))));
        const auto same = std::count_if(page.anchors.begin(), page.anchors.end(), [&](const std::string& a) {
          return a == anchor || (a.starts_with(anchor + "-") &&
                                 a.find_first_not_of("0123456789", anchor.size() + 1) == std::string::npos);
        });
        page.anchors.push_back(same == 0 ? anchor : anchor + "-" + std::to_string(same));
      }
      if (comment_of(line).empty()) parse_prose(line, number, page);
    }
    line_above = line;
  }
  return page;
}

const std::vector<Page>& pages() {
  static const std::vector<Page> all = read_pages();
  return all;
}

std::string place(const Page& page, int line) { return page.path + ":" + std::to_string(line); }

}  // namespace diopter::test
