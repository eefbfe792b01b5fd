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

TEST_CASE("text: words of a shell") {
  CHECK(shell_word("train") == "train");
  CHECK(shell_word("--set=a.b,c:1@2%3+4_/") == "--set=a.b,c:1@2%3+4_/");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("two words") == "'two words'");
  CHECK(shell_word("$HOME") == "'$HOME'");
  CHECK(shell_word("*") == "'*'");
  CHECK(shell_word("it's") == "'it'\\''s'");
}
