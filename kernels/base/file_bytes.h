// Whole files in memory.
#pragma once

#include <cstddef>
#include <limits>
#include <string>

namespace diopter {

/// The first `limit` bytes of a file, or all where it has fewer. Throws Error "FILE: cannot be opened".
std::string file_bytes(const std::string& file, std::size_t limit = std::numeric_limits<std::size_t>::max());

}  // namespace diopter
