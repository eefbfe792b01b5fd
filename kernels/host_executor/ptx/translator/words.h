// Lists of words: what an opcode or an operand consists of.
#pragma once

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace diopter::ptx {

using Words = std::vector<std::string>;

inline Words split_at(std::string_view text, char separator) {
  Words parts(1);
  for (const char c : text) c == separator ? void(parts.emplace_back()) : parts.back().push_back(c);
  return parts;
}

/// The elements of "{%f1, %f2}"; the text itself where it has no braces.
inline Words elements(std::string text) {
  if (text.empty() || text.front() != '{') return {text};
  std::erase_if(text, [](char c) { return c == '{' || c == '}' || c == ' ' || c == '\t'; });
  return split_at(text, ',');
}

/// Takes from `words` those of them that are among `known`, and returns them.
inline Words take(Words& words, const std::set<std::string_view>& known) {
  Words taken;
  std::erase_if(words, [&](const std::string& word) {
    const bool take = known.contains(word);
    if (take) taken.push_back(word);
    return take;
  });
  return taken;
}

inline bool contains(const Words& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

}  // namespace diopter::ptx
