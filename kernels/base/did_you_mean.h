// "Did you mean": the known name that is closest to a mistyped one, and how messages say it.
#pragma once

#include <string>
#include <vector>

namespace diopter {

/// The name with the fewest insertions, deletions, replacements and swaps of neighbours from `typed` (the first on
/// ties), or "" when even that one differs in more than half of its letters.
std::string nearest_name(const std::string& typed, const std::vector<std::string>& names);

/// To append to "unknown key TYPED": "; the nearest is NAME", or "" when no known name is near.
std::string hint(const std::string& typed, const std::vector<std::string>& known);

/// The same for short lists, all of which a message can show: "; the nearest is a (there are a, b)".
std::string hint_with_list(const std::string& typed, const std::vector<std::string>& known);

}  // namespace diopter
