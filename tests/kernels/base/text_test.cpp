#include "kernels/base/text.h"

#include <cmath>
#include <limits>

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("text: join") {
  CHECK(join(std::vector<std::string>{}) == "");
  CHECK(join(std::vector<std::string>{"a"}) == "a");
  CHECK(join(std::vector<std::string>{"a", "", "c"}) == "a, , c");
  CHECK(join(std::vector<int>{1, 2, 3}, "; ", [](int i) { return std::to_string(i * i); }) == "1; 4; 9");
}

TEST_CASE("text: a quoted list is cut short after ten names") {
  CHECK(quoted_list({}) == "");
  CHECK(quoted_list({"a", "b"}) == "'a', 'b'");
  const std::vector<std::string> ten(10, "x");
  CHECK(quoted_list(ten).ends_with("'x', 'x'"));
  std::vector<std::string> eleven = ten;
  eleven.push_back("y");
  CHECK(quoted_list(eleven) == quoted_list(ten) + ", ...");
}

TEST_CASE("text: formatted takes any length") {
  CHECK(formatted("%.1f of %d", 2.25, 3) == "2.2 of 3");
  CHECK(formatted("%s", "") == "");
  const std::string line(1000, 'x');
  CHECK(formatted("<%s>", line.c_str()) == "<" + line + ">");
}

TEST_CASE("text: shortest digits read back as the same number") {
  CHECK(shortest(0.1) == "0.1");
  CHECK(shortest(0.1f) == "0.1");
  CHECK(shortest(static_cast<double>(0.1f)) == "0.10000000149011612");
  CHECK(shortest(1e30) == "1e+30");
  for (const double x : {1.0 / 3, -5e-324, std::numeric_limits<double>::max(), 123456789.0}) {
    CHECK(parse_number(shortest(x)) == x);
  }
}

TEST_CASE("text: a number is the whole text") {
  CHECK(parse_number(" 1.5\r\n") == 1.5);
  CHECK(parse_number("-1e3") == -1000);
  CHECK(std::isnan(parse_number("nan").value()));
  CHECK(parse_number("inf") == std::numeric_limits<double>::infinity());
  for (const char* text : {"", " ", "1.5x", "x1", "1,5", "1 5", "--1"}) CHECK_FALSE(parse_number(text));
}

TEST_CASE("text: trim and padded") {
  CHECK(trim("") == "");
  CHECK(trim(" \t\r\n") == "");
  CHECK(trim("  a b\t\n") == "a b");
  CHECK(padded("ab", 4) == "ab  ");
  CHECK(padded("abcde", 4) == "abcde");
}

TEST_CASE("text: durations") {
  CHECK(format_duration(-1) == "0:00");
  CHECK(format_duration(48.4) == "0:48");
  CHECK(format_duration(725) == "12:05");
  CHECK(format_duration(3599.6) == "1:00:00");
  CHECK(format_duration(3723) == "1:02:03");
}

TEST_CASE("text: what a terminal would obey is not printable") {
  CHECK(printable("") == "");
  CHECK(printable("a cat, 90 % <b>") == "a cat, 90 % <b>");
  CHECK(printable("\xC3\xA4\xE4\xB8\xAD\xF0\x9F\x90\x88") == "\xC3\xA4\xE4\xB8\xAD\xF0\x9F\x90\x88");  // UTF-8
  CHECK(printable("\x1b[2J\x1b]0;title\a|\r\n\t\x7f") == "?[2J?]0;title?|????");
  CHECK(printable(std::string("a\0b", 3)) == "a?b");
  CHECK(printable("b\xe4r \xff\xfe") == "b?r ??");                                // Latin-1, and nothing at all
  CHECK(printable("\xC2\x9b[2J \xC2\x80\xC2\x9F\xC2\xA0") == "?[2J ??\xC2\xA0");  // controls of eight bits
  CHECK(printable("gpj.\xE2\x80\xAEtac") == "gpj.?tac");                          // from right to left
  CHECK(printable("\xE2\x80\xA7\xE2\x80\xA8\xE2\x80\xAF") == "\xE2\x80\xA7?\xE2\x80\xAF");
  CHECK(printable("\xE2\x81\xA5\xE2\x81\xA6\xE2\x81\xA9\xE2\x81\xAA") == "\xE2\x81\xA5??\xE2\x81\xAA");
  CHECK(printable("\xC3") == "?");  // cut within a character
}

TEST_CASE("text: shortened between characters") {
  CHECK(shortened("abc", 3) == "abc");
  CHECK(shortened("abc", 2) == "ab");
  CHECK(shortened("abc", 0) == "");
  CHECK(shortened("a\xC3\xA4", 3) == "a\xC3\xA4");
  CHECK(shortened("a\xC3\xA4", 2) == "a");
  CHECK(shortened("\xF0\x9F\x90\x88x", 3) == "");
  CHECK(shortened("\xF0\x9F\x90\x88x", 4) == "\xF0\x9F\x90\x88");
  CHECK(shortened("\x88\x88\x88\x88\x88\x88", 5).size() == 2);  // no UTF-8: cut somewhere
}

TEST_CASE("text: words of a shell") {
  CHECK(shell_word("train") == "train");
  CHECK(shell_word("--set=a.b,c:1@2%3+4_/") == "--set=a.b,c:1@2%3+4_/");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("two words") == "'two words'");
  CHECK(shell_word("$HOME") == "'$HOME'");
  CHECK(shell_word("*") == "'*'");
  CHECK(shell_word("it's") == "'it'\\''s'");
}
