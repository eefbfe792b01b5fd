// List of all keys, as docs/settings.md has it.
#pragma once

#include <string>

namespace diopter {

/// Markdown: a table for each section, without the parameters of losses.
std::string describe_keys();

}  // namespace diopter
