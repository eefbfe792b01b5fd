#include "tests/docs/mark.h"

#include <algorithm>
#include <regex>
#include <sstream>

namespace diopter::test {

namespace {

enum class Argument { none, needed };

struct Form {
  MarkKind kind;
  const char* words;
  Argument argument;
  std::vector<std::string> languages;
};

const std::vector<Form> kForms = {
    {MarkKind::run, "run", Argument::none, {"sh"}},
    {MarkKind::run, "run with", Argument::needed, {"sh"}},
    {MarkKind::run_on_cuda, "run on cuda", Argument::none, {"sh"}},
    {MarkKind::run_on_cuda, "run on cuda with", Argument::needed, {"sh"}},
    {MarkKind::not_run, "not run", Argument::needed, {"sh"}},
    {MarkKind::output, "output", Argument::none, {""}},
    {MarkKind::output_varying, "output, numbers vary in lines with", Argument::needed, {""}},
    {MarkKind::not_compared, "not compared", Argument::needed, {""}},
    {MarkKind::file, "file", Argument::needed, {"toml"}},
    {MarkKind::from, "from", Argument::needed, {"cpp", "c++", "python", "toml"}},
    {MarkKind::not_compiled, "not compiled", Argument::needed, {"cpp", "c++", "python"}},
    {MarkKind::drawing, "", Argument::none, {"text"}},
};

/// Without beginnings of comments at beginnings of lines, and every run of blanks as one.
std::string in_one_line(const std::string& text) {
  const std::string code = std::regex_replace(text, std::regex("\n *//+ "), " ");
  return std::regex_replace(code, std::regex("\\s+"), " ");
}

}  // namespace

Mark mark_of(const Fence& fence) {
  const std::size_t colon = fence.mark.find(": ");
  const std::string words = fence.mark.substr(0, colon);
  const std::string argument = colon == std::string::npos ? "" : fence.mark.substr(colon + 2);
  for (const Form& form : kForms) {
    const bool takes = std::count(form.languages.begin(), form.languages.end(), fence.language) > 0;
    if (takes && words == form.words && (form.argument == Argument::needed) == !argument.empty()) {
      return {form.kind, argument};
    }
  }
  return {MarkKind::unknown, ""};
}

bool holds(const std::string& text, const std::string& shown) {
  const std::string all = in_one_line("\n" + text), wanted = in_one_line("\n" + shown);
  std::size_t at = 0;
  for (std::size_t begin = 0; begin <= wanted.size();) {
    const std::size_t end = std::min(wanted.size(), wanted.find("...", begin));
    std::string part = wanted.substr(begin, end - begin);
    while (part.ends_with(' ')) part.pop_back();
    while (part.starts_with(' ')) part.erase(0, 1);
    const std::size_t found = all.find(part, at);
    if (found == std::string::npos) return false;
    at = found + part.size();
    begin = end + 3;
  }
  return true;
}

std::string without_numbers(const std::string& text, const std::string& word) {
  static const std::regex number("[-+]?[0-9][0-9.,:]*");
  std::istringstream lines(text);
  std::string changed;
  for (std::string line; std::getline(lines, line);) {
    changed += (line.find(word) == std::string::npos ? line : std::regex_replace(line, number, "0")) + "\n";
  }
  return changed;
}

}  // namespace diopter::test
