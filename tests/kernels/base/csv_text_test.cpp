#include "kernels/base/csv_text.h"

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("csv: fields that need quotes have them, numbers the shortest digits") {
  CsvText csv({"a", "b, c"});
  csv << "say \"x\"" << 0.1 << std::int64_t{-3} << "";
  csv.end_line();
  CHECK(csv.text() == "a,\"b, c\"\n\"say \"\"x\"\"\",0.1,-3,\n");
}

TEST_CASE("csv: a field is text in one line") {
  CsvText csv;
  csv << "two\nlines"
      << "b\xe4r"
      << "\x1b[2J, \r";
  csv.end_line();
  CHECK(csv.text() == "two?lines,b?r,\"?[2J, ?\"\n");
}

TEST_CASE("csv: what a spreadsheet would compute is text for it, and reads back") {
  const std::vector<std::string> fields = {"=1+1", "@SUM(A1)", "+A1", "-A1, B1", "-", "'", "'quoted'", "a=b"};
  CsvText csv(fields);
  CHECK(csv.text() == "'=1+1,'@SUM(A1),'+A1,\"'-A1, B1\",-,','quoted',a=b\n");
  CHECK(csv_fields(csv.text().substr(0, csv.text().size() - 1)) == fields);
  CsvText numbers({"-3", "+2.5", "-1e-7", "-inf", "-nan"});
  numbers << -0.5;
  CHECK(numbers.text() == "-3,+2.5,-1e-7,-inf,-nan\n-0.5");
}

TEST_CASE("csv: fields of a line") {
  using Fields = std::vector<std::string>;
  CHECK(csv_fields("") == Fields{""});
  CHECK(csv_fields("a,,b,") == Fields{"a", "", "b", ""});
  CHECK(csv_fields("\"a,b\",\"\"\"c\"\"\"") == Fields{"a,b", "\"c\""});
  CHECK_FALSE(csv_fields("a,\"b"));
}

TEST_CASE("csv: what is written reads back") {
  const std::vector<std::string> fields = {"plain", "", "a,b", "\"", " blank ", "é"};
  CsvText csv(fields);
  CHECK(csv_fields(csv.text().substr(0, csv.text().size() - 1)) == fields);
}
