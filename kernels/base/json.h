// JSON from text and to text. nlohmann-json's parser and its writer take seconds to compile: json.cpp does it once.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace diopter {

/// The value that a text describes; where it is no JSON, or deeper than limits::kJsonDepth, nlohmann::json::exception.
nlohmann::json parse_json(std::string_view text);
/// The same with the keys of objects in the text's order.
nlohmann::ordered_json parse_ordered_json(std::string_view text);

/// What an exception of nlohmann's parser says, without its number: "line 1, column 7: what", or, for numbers out of
/// range and the like, "what" alone.
std::string json_problem(const std::string& what);

/// A value as text: in one line, or, with an indent in spaces, in lines. Bytes that are not UTF-8, in the name of a
/// class for instance, are replaced by U+FFFD.
std::string json_text(const nlohmann::json& value, int indent = -1);
std::string json_text(const nlohmann::ordered_json& value, int indent = -1);

}  // namespace diopter
