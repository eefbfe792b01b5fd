#include "kernels/base/text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <span>

#include "kernels/base/utf8.h"

namespace diopter {

namespace {

template <class T>
std::string shortest_digits(T value) {
  char digits[32];
  return {digits, std::to_chars(digits, digits + sizeof digits, value).ptr};
}

/// Whether a character of UTF-8 does something to a terminal instead of being seen.
bool controls(std::string_view character) {
  if (character.size() == 1) return static_cast<unsigned char>(character[0]) < 0x20 || character[0] == 0x7F;
  const auto within = [&](std::string_view first, std::string_view last) {
    return character.size() == first.size() && character >= first && character <= last;
  };
  return within("\xC2\x80", "\xC2\x9F") ||          // U+0080 to U+009F: controls, some terminals' ESC [ for one
         within("\xE2\x80\xA8", "\xE2\x80\xAE") ||  // U+2028 to U+202E: ends of lines, direction of writing
         within("\xE2\x81\xA6", "\xE2\x81\xA9");    // U+2066 to U+2069: direction of writing
}

}  // namespace

std::string quoted_list(const std::vector<std::string>& names) {
  constexpr std::size_t kShown = 10;
  const std::span<const std::string> shown(names.data(), std::min(names.size(), kShown));
  const std::string list = join(shown, ", ", [](const std::string& name) { return "'" + name + "'"; });
  return names.size() > kShown ? list + ", ..." : list;
}

std::string formatted(const char* pattern, ...) {
  std::va_list arguments, again;
  va_start(arguments, pattern);
  va_copy(again, arguments);
  std::string text(static_cast<std::size_t>(std::max(0, std::vsnprintf(nullptr, 0, pattern, arguments))), '\0');
  va_end(arguments);
  // The terminating zero goes where the string keeps its own.
  std::vsnprintf(text.data(), text.size() + 1, pattern, again);
  va_end(again);
  return text;
}

std::string shortest(double value) { return shortest_digits(value); }
std::string shortest(float value) { return shortest_digits(value); }

std::optional<double> parse_number(std::string_view text) {
  text = trim(text);
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string_view trim(std::string_view text) {
  constexpr std::string_view kBlank = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kBlank);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlank) - begin + 1);
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

std::string format_duration(double seconds) {
  const auto s = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  return s < 3600 ? formatted("%lld:%02lld", s / 60, s % 60)
                  : formatted("%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
}

std::string printable(std::string_view text) {
  std::string result;
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    const std::string_view character = text.substr(0, length);
    text.remove_prefix(std::max<std::size_t>(length, 1));
    if (character.empty() || controls(character)) {
      result += '?';
    } else {
      result += character;
    }
  }
  return result;
}

std::string_view shortened(std::string_view text, std::size_t bytes) {
  if (text.size() <= bytes) return text;
  std::size_t end = bytes;
  while (end > 0 && bytes - end < 3 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end);
}

std::string shell_word(const std::string& text) {
  constexpr std::string_view kPlain = "_-+=./,:@%";
  const auto plain = [&](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || kPlain.find(c) != std::string_view::npos;
  };
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

}  // namespace diopter
