// JSON text as a stream of events, at the speed that files of millions of boxes need: one piece of the file is held at
// a time, and no object, string or number is allocated. Accepts what nlohmann's parser accepts and calls the same
// events with the same values; what is wrong with other text is left for that parser to say.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>

#include "kernels/base/json.h"
#include "kernels/base/utf8.h"

namespace diopter {

/// `Events` has nlohmann's SAX interface, with std::string_view for texts.
template <class Events>
class JsonEventReader {
 public:
  JsonEventReader(std::string_view text, Events& events)
      : at_(text.data()), end_(text.data() + text.size()), events_(events) {}

  /// `piece`: bytes that are read at a time. The file stays open; whether it could be read, std::ferror says.
  JsonEventReader(std::FILE* file, Events& events, std::size_t piece = std::size_t{1} << 18)
      : file_(file), piece_(piece), events_(events) {}

  /// Python's NaN, Infinity and -Infinity, which are no JSON, come as empty objects.
  void accept_python_numbers() { python_numbers_ = true; }

  /// Whether the text is JSON. What the events throw is passed on.
  bool read() {
    if (starts_with("\xEF\xBB\xBF")) at_ += 3;  // byte order mark
    do {
      if (!value()) return false;
      while (!open_.empty() && !more_) {
        if (!close_or_go_on()) return false;
      }
      more_ = false;
    } while (!open_.empty());
    skip_blanks();
    return at_ == end_ || *at_ == '\0';  // which ends a text for nlohmann's parser
  }

 private:
  /// Reads on behind what begins at at_, which is kept, but moves, also at the end of the text: false there.
  bool read_more() {
    if (!file_) return false;
    const auto kept = static_cast<std::size_t>(end_ - at_);
    std::string longer;
    if (buffer_.size() < piece_ + kept) longer.resize(piece_ + 2 * kept);  // so that long tokens take linear time
    std::string& target = longer.empty() ? buffer_ : longer;
    if (kept > 0) std::memmove(target.data(), at_, kept);
    if (!longer.empty()) buffer_.swap(longer);
    const std::size_t count = std::fread(buffer_.data() + kept, 1, buffer_.size() - kept, file_);
    at_ = buffer_.data();
    end_ = at_ + kept + count;
    if (count == 0) file_ = nullptr;
    return count > 0;
  }

  /// Whether there is another character at at_.
  bool has_next() { return at_ != end_ || read_more(); }

  bool starts_with(std::string_view wanted) {
    while (static_cast<std::size_t>(end_ - at_) < wanted.size() && read_more()) {
    }
    return std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(wanted);
  }

  void skip_blanks() {
    while (has_next() && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  /// Goes past the character, or the word, if it is the next.
  bool take(char character) {
    if (!has_next() || *at_ != character) return false;
    ++at_;
    return true;
  }
  bool take(std::string_view word) {
    if (!starts_with(word)) return false;
    at_ += word.size();
    return true;
  }

  /// A scalar, an empty container, or the beginning of another one up to its first value.
  bool value() {
    skip_blanks();
    if (at_ == end_) return false;
    switch (*at_) {
      case '{':
        ++at_;
        events_.start_object(std::size_t(-1));
        skip_blanks();
        if (take('}')) return events_.end_object();
        open_.push_back('}');
        return more_ = key();
      case '[':
        ++at_;
        events_.start_array(std::size_t(-1));
        skip_blanks();
        if (take(']')) return events_.end_array();
        open_.push_back(']');
        return more_ = true;
      case '"': return text() && events_.string(text_);
      case 't': return take("true") && events_.boolean(true);
      case 'f': return take("false") && events_.boolean(false);
      case 'n': return take("null") && events_.null();
      default: return python_number() || number();
    }
  }

  bool python_number() {
    if (!python_numbers_ || (*at_ != 'N' && *at_ != 'I' && *at_ != '-')) return false;
    if (!take("NaN") && !take("Infinity") && !take("-Infinity")) return false;
    return events_.start_object(std::size_t(-1)) && events_.end_object();
  }

  /// After a value: a comma and what stands before the next one, or the container's end.
  bool close_or_go_on() {
    skip_blanks();
    const char end = open_.back();
    if (take(',')) return more_ = end == ']' || key();
    if (!take(end)) return false;
    open_.pop_back();
    return end == ']' ? events_.end_array() : events_.end_object();
  }

  bool key() {
    skip_blanks();
    if (at_ == end_ || *at_ != '"' || !text()) return false;
    events_.key(text_);
    skip_blanks();
    return take(':');
  }

  /// Goes past a string and sets text_ to its contents, until more is read.
  bool text() {
    bool ascii = true;
    const char* end = at_ + 1;
    while (end == end_ || (*end != '"' && *end != '\\')) {
      if (end == end_) {
        const std::ptrdiff_t length = end - at_;
        if (!read_more()) return false;
        end = at_ + length;
        continue;
      }
      const auto byte = static_cast<unsigned char>(*end++);
      if (byte < 0x20) return false;
      ascii &= byte < 0x80;
    }
    if (*end == '\\') return text_with_escapes();
    text_ = {at_ + 1, static_cast<std::size_t>(end - at_ - 1)};
    at_ = end + 1;
    return ascii || is_utf8(text_);
  }

  bool text_with_escapes() {
    std::ptrdiff_t length = 1;
    while (end_ - at_ > length || read_more()) {
      const char character = at_[length++];
      if (character == '\\')
        ++length;
      else if (character == '"')
        break;
    }
    if (end_ - at_ < length) return false;
    try {
      decoded_ = parse_json({at_, static_cast<std::size_t>(length)}).template get<std::string>();
    } catch (const nlohmann::json::exception&) {
      return false;
    }
    at_ += length;
    text_ = decoded_;
    return true;
  }

  static bool is_digit(char character) { return character >= '0' && character <= '9'; }

  /// Appends the digits from `begin` on to the number; returns where they end.
  const char* digits(const char* begin, std::uint64_t& number) const {
    for (; begin != end_ && is_digit(*begin); ++begin) number = 10 * number + static_cast<std::uint64_t>(*begin - '0');
    return begin;
  }

  bool number() {
    const char* end = nullptr;
    std::uint64_t all = 0;  // digits without the point; overflows where there are more than kSafeInteger
    std::ptrdiff_t length = 0, whole = 0, decimals = 0;
    bool negative = false, exponent = false;
    do {  // again where the number reaches the end of what was read
      negative = *at_ == '-';
      all = 0;
      const char* const first = at_ + negative;
      end = digits(first, all);
      whole = end - first;
      decimals = 0;
      exponent = false;
      if (end != end_ && *end == '.') {
        const char* const point = ++end;
        end = digits(point, all);
        decimals = end - point;
      }
      if (end != end_ && (*end == 'e' || *end == 'E')) {
        exponent = true;
        if (++end != end_ && (*end == '+' || *end == '-')) ++end;
        std::uint64_t ignored = 0;
        end = digits(end, ignored);
      }
      length = end - at_;
    } while (end == end_ && read_more());
    end = at_ + length;  // which may have moved
    const bool ends_with_digit = whole > 0 && is_digit(end[-1]);
    if (!ends_with_digit || (whole > 1 && at_[negative] == '0')) return false;
    const bool is_integer = decimals == 0 && !exponent;
    if (!is_integer && decimals == 0 && at_[negative + whole] == '.') return false;  // 1.e5
    const char* const begin = at_;
    at_ = end;
    if (is_integer && whole <= kSafeInteger) {
      return negative ? events_.number_integer(-static_cast<std::int64_t>(all)) : events_.number_unsigned(all);
    }
    // Digits and power of ten are exact in double, and so their quotient is the nearest number (Clinger 1990).
    if (!exponent && decimals > 0 && whole + decimals <= kSafe) {
      const double value = static_cast<double>(all) / kPowersOfTen[static_cast<std::size_t>(decimals)];
      return events_.number_float(negative ? -value : value, {});
    }
    return long_number(begin, is_integer, negative);
  }

  bool long_number(const char* begin, bool is_integer, bool negative) {
    if (is_integer && negative) {
      std::int64_t integer = 0;
      if (std::from_chars(begin, at_, integer).ec == std::errc()) return events_.number_integer(integer);
    } else if (is_integer) {
      std::uint64_t integer = 0;
      if (std::from_chars(begin, at_, integer).ec == std::errc()) return events_.number_unsigned(integer);
    }
    double value = 0;
    if (std::from_chars(begin, at_, value).ec == std::errc()) return events_.number_float(value, {});
    // Out of range: too large is no JSON number for nlohmann's parser, too small is what strtod says.
    value = std::strtod(std::string(begin, at_).c_str(), nullptr);
    return value <= std::numeric_limits<double>::max() && value >= std::numeric_limits<double>::lowest() &&
           events_.number_float(value, {});
  }

  static constexpr std::ptrdiff_t kSafe = 15, kSafeInteger = 18;
  static constexpr std::array<double, kSafe + 1> kPowersOfTen = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

  const char* at_ = nullptr;  // what is read next, up to end_
  const char* end_ = nullptr;
  std::FILE* file_ = nullptr;  // where more comes from; nullptr: there is no more
  std::size_t piece_ = 0;
  std::string buffer_;
  Events& events_;
  bool python_numbers_ = false;
  std::string open_;       // the ends of the containers that are open
  bool more_ = false;      // a value must follow
  std::string_view text_;  // the last string
  std::string decoded_;    // where it stands when it had escapes
};

}  // namespace diopter
