// JSON text as a stream of events, at the speed that files of millions of boxes need: no object, string or number is
// allocated. Accepts what nlohmann's parser accepts and calls the same events with the same values; what is wrong with
// other text is left for that parser to say.
#pragma once

#include <array>
#include <charconv>
#include <cstdint>
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

  /// Whether the text is JSON. What the events throw is passed on.
  bool read() {
    if (rest().starts_with("\xEF\xBB\xBF")) at_ += 3;  // byte order mark
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
  std::string_view rest() const { return {at_, static_cast<std::size_t>(end_ - at_)}; }

  void skip_blanks() {
    while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t')) ++at_;
  }

  /// Goes past the character, if it is the next.
  bool take(char character) {
    if (at_ == end_ || *at_ != character) return false;
    ++at_;
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
      case 't': return word("true") && events_.boolean(true);
      case 'f': return word("false") && events_.boolean(false);
      case 'n': return word("null") && events_.null();
      default: return number();
    }
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

  bool word(std::string_view wanted) {
    if (!rest().starts_with(wanted)) return false;
    at_ += wanted.size();
    return true;
  }

  /// Sets text_ to a string's contents.
  bool text() {
    const char* const begin = ++at_;
    bool ascii = true;
    while (at_ != end_ && *at_ != '"' && *at_ != '\\') {
      const auto byte = static_cast<unsigned char>(*at_++);
      if (byte < 0x20) return false;
      ascii &= byte < 0x80;
    }
    if (at_ != end_ && *at_ == '\\') return text_with_escapes(begin);
    if (at_ == end_) return false;
    text_ = {begin, static_cast<std::size_t>(at_ - begin)};
    ++at_;
    return ascii || is_utf8(text_);
  }

  bool text_with_escapes(const char* begin) {
    while (at_ != end_ && *at_ != '"') at_ += *at_ == '\\' && at_ + 1 != end_ ? 2 : 1;
    if (at_ == end_) return false;
    ++at_;
    try {
      decoded_ = parse_json({begin - 1, static_cast<std::size_t>(at_ - begin) + 1}).template get<std::string>();
    } catch (const nlohmann::json::exception&) {
      return false;
    }
    text_ = decoded_;
    return true;
  }

  bool is_digit() const { return at_ != end_ && *at_ >= '0' && *at_ <= '9'; }

  /// Appends digits to the number; false where there are none.
  bool digits(std::uint64_t& number) {
    const char* const begin = at_;
    for (; is_digit(); ++at_) number = 10 * number + static_cast<std::uint64_t>(*at_ - '0');
    return at_ != begin;
  }

  bool number() {
    const char* const begin = at_;
    const bool negative = take('-');
    const char* const first = at_;
    std::uint64_t all = 0;  // digits without the point; overflows where there are more than kSafe
    if (!digits(all) || (*first == '0' && at_ - first > 1)) return false;
    const std::ptrdiff_t whole = at_ - first;
    std::ptrdiff_t decimals = 0;
    bool exponent = false;
    if (take('.')) {
      const char* const point = at_;
      if (!digits(all)) return false;
      decimals = at_ - point;
    }
    if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
      exponent = true;
      ++at_;
      if (at_ != end_ && (*at_ == '+' || *at_ == '-')) ++at_;
      std::uint64_t ignored = 0;
      if (!digits(ignored)) return false;
    }
    if (decimals == 0 && !exponent && whole <= kSafeInteger) {
      const auto integer = static_cast<std::int64_t>(all);
      return negative ? events_.number_integer(-integer) : events_.number_unsigned(all);
    }
    // Digits and power of ten are exact in double, and so their quotient is the nearest number (Clinger 1990).
    if (!exponent && decimals > 0 && whole + decimals <= kSafe) {
      const double value = static_cast<double>(all) / kPowersOfTen[static_cast<std::size_t>(decimals)];
      return events_.number_float(negative ? -value : value, {});
    }
    return long_number(begin, decimals == 0 && !exponent, negative);
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
    return small_number(begin);
  }

  /// Out of range: too large is no JSON number for nlohmann's parser, too small is what strtod says.
  bool small_number(const char* begin) {
    const double value = std::strtod(std::string(begin, at_).c_str(), nullptr);
    return value <= std::numeric_limits<double>::max() && value >= std::numeric_limits<double>::lowest() &&
           events_.number_float(value, {});
  }

  static constexpr std::ptrdiff_t kSafe = 15, kSafeInteger = 18;
  static constexpr std::array<double, kSafe + 1> kPowersOfTen = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                                 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

  const char* at_;
  const char* const end_;
  Events& events_;
  std::string open_;       // the ends of the containers that are open
  bool more_ = false;      // a value must follow
  std::string_view text_;  // the last string
  std::string decoded_;    // where it stands when it had escapes
};

}  // namespace diopter
