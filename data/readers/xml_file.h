// An XML file in memory, with the lines in which its elements stand.
#pragma once

#include <cstddef>
#include <pugixml.hpp>
#include <string>
#include <vector>

namespace diopter {

class XmlFile {
 public:
  /// Throws Error with file and line for text that is no XML, and where the outermost element has another name: "so not
  /// KIND".
  XmlFile(const std::string& file, const char* root, const char* kind);

  const pugi::xml_node& root() const { return root_; }

  /// "FILE: line 7"
  std::string place(std::ptrdiff_t offset) const { return file_ + ": " + line(offset); }
  std::string place(const pugi::xml_node& node) const { return place(node.offset_debug()); }
  /// "line 7"
  std::string line(std::ptrdiff_t offset) const;

  /// The finite number in the child `name` of `parent`; throws Error with the place where there is none.
  double number(const pugi::xml_node& parent, const char* name) const;

 private:
  std::string file_, text_;
  std::vector<std::ptrdiff_t> line_ends_;
  pugi::xml_document document_;
  pugi::xml_node root_;
};

}  // namespace diopter
