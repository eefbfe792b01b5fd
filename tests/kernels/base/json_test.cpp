#include "kernels/base/json.h"

#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("json: keys are sorted, or stay as they were written") {
  REQUIRE(json_text(parse_json(R"({"b": 1, "a": [2.5, null]})")) == R"({"a":[2.5,null],"b":1})");
  REQUIRE(json_text(parse_ordered_json(R"({"b": 1, "a": [2.5, null]})")) == R"({"b":1,"a":[2.5,null]})");
}

TEST_CASE("json: a text with an indent") { REQUIRE(json_text(parse_json(R"({"a": 1})"), 1) == "{\n \"a\": 1\n}"); }

TEST_CASE("json: a text that is none") {
  REQUIRE_THROWS_AS(parse_json("{\"a\": 1"), nlohmann::json::parse_error);
  REQUIRE_THROWS_AS(parse_ordered_json("[1] 2"), nlohmann::json::parse_error);
}

TEST_CASE("json: values too deep inside each other are refused") {
  const auto nested = [](std::size_t depth) { return std::string(depth, '[') + std::string(depth, ']'); };
  REQUIRE_NOTHROW(parse_json(nested(64)));
  REQUIRE_THROWS_AS(parse_json(nested(65)), nlohmann::json::exception);
  REQUIRE_THROWS_AS(parse_ordered_json(nested(65)), nlohmann::json::exception);
  REQUIRE_THROWS_AS(parse_json(std::string(1000000, '{')), nlohmann::json::exception);
  REQUIRE_NOTHROW(parse_json("[\"" + std::string(100, '[') + R"(\"{{", [], {}])"));
  std::string flat = "[";
  for (int i = 0; i < 100; ++i) flat += "[{}], ";
  REQUIRE_NOTHROW(parse_json(flat + "0]"));
}

TEST_CASE("json: bytes that are not UTF-8 are replaced") {
  REQUIRE(json_text(nlohmann::json("caf\xe9")) == "\"caf\xef\xbf\xbd\"");
  REQUIRE(json_text(nlohmann::ordered_json("caf\xe9")) == "\"caf\xef\xbf\xbd\"");
}
