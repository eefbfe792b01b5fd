// Text helpers: lists, numbers, durations and shell words as people and programs read them.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace diopter {

/// The parts one after another with the separator between them: "a, b, c". `text_of` turns a part into text.
template <class Parts, class TextOf = std::identity>
std::string join(const Parts& parts, std::string_view separator = ", ", const TextOf& text_of = {}) {
  std::string text;
  bool first = true;
  for (const auto& part : parts) {
    if (!first) text += separator;
    text += text_of(part);
    first = false;
  }
  return text;
}

/// "'a', 'b', 'c'", cut short with ", ..." after ten names.
std::string quoted_list(const std::vector<std::string>& names);

/// printf's result as a string. The compiler compares arguments and pattern.
[[gnu::format(printf, 1, 2)]] std::string formatted(const char* pattern, ...);

/// The fewest digits that read back as the same number of the same type: "0.1", "1e+30", "nan".
std::string shortest(double value);
std::string shortest(float value);

/// The number that the whole text is, blanks at its ends aside; "nan" and "inf" are numbers too.
std::optional<double> parse_number(std::string_view text);

/// Without blanks and line ends at both ends.
std::string_view trim(std::string_view text);

/// Filled up with blanks at its end to `width` bytes.
std::string padded(std::string text, std::size_t width);

/// Seconds as "0:48", "12:05" or "1:02:03".
std::string format_duration(double seconds);

/// Text from a file, in one line that a terminal shows and does not obey: a '?' for each control character (line ends
/// among them), each character that reverses the direction of writing or breaks lines, and each byte that is not UTF-8.
std::string printable(std::string_view text);

/// The longest beginning of the text that has at most `bytes` bytes and no part of a UTF-8 character at its end.
std::string_view shortened(std::string_view text, std::size_t bytes);

/// One word for a POSIX shell: as it is where no character means anything to the shell, else in single quotes.
std::string shell_word(const std::string& text);

}  // namespace diopter
