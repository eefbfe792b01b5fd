// A strict parser for what must be well-formed.
#pragma once

#include <expat.h>

#include <memory>
#include <string>

namespace diopter::test {

/// The fault of the XML text, "line 3: mismatched tag"; "" when it is well-formed.
inline std::string xml_error(const std::string& text) {
  const std::unique_ptr<XML_ParserStruct, void (*)(XML_Parser)> parser(XML_ParserCreate("UTF-8"), XML_ParserFree);
  if (XML_Parse(parser.get(), text.data(), static_cast<int>(text.size()), 1) == XML_STATUS_OK) return "";
  return "line " + std::to_string(XML_GetCurrentLineNumber(parser.get())) + ": " +
         XML_ErrorString(XML_GetErrorCode(parser.get()));
}

}  // namespace diopter::test
