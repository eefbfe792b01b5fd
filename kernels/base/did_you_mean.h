// "Did you mean": the known name that is closest to a mistyped one.
#pragma once

#include <string>
#include <vector>

namespace diopter {

/// The name with the fewest insertions, deletions, replacements and swaps of neighbours from `typed` (the first on
/// ties), or "" when even that one differs in more than half of its letters.
std::string nearest_name(const std::string& typed, const std::vector<std::string>& names);

}  // namespace diopter
