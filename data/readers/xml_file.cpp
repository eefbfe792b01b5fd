#include "data/readers/xml_file.h"

#include <algorithm>
#include <cmath>
#include <optional>

#include "kernels/base/check.h"
#include "kernels/base/files.h"
#include "kernels/base/text.h"

namespace diopter {

XmlFile::XmlFile(const std::string& file, const char* root, const char* kind) : file_(file), text_(read_file(file)) {
  for (std::size_t at = text_.find('\n'); at != std::string::npos; at = text_.find('\n', at + 1)) {
    line_ends_.push_back(static_cast<std::ptrdiff_t>(at));
  }
  const pugi::xml_parse_result result = document_.load_buffer(text_.data(), text_.size());
  if (!result) fail(place(result.offset), ": not well-formed XML: ", result.description());
  root_ = document_.child(root);
  DIOPTER_CHECK(root_, file_, ": no <", root, "> element, so not ", kind);
}

std::string XmlFile::line(std::ptrdiff_t offset) const {
  return "line " +
         std::to_string(1 + (std::lower_bound(line_ends_.begin(), line_ends_.end(), offset) - line_ends_.begin()));
}

double XmlFile::number(const pugi::xml_node& parent, const char* name) const {
  const pugi::xml_node node = parent.child(name);
  DIOPTER_CHECK(node, place(parent), ": <", parent.name(), "> has no <", name, ">");
  const std::optional<double> value = parse_number(node.child_value());
  DIOPTER_CHECK(value && std::isfinite(*value), place(node), ": <", name, "> is '", node.child_value(),
                "', not a finite number");
  return *value;
}

}  // namespace diopter
