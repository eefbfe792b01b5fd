// The same labelled picture as every labelling program writes it, for the commands of docs/data.md.
#pragma once

#include <filesystem>

namespace diopter::test {

/// Writes the sets into the folder, with copies of `picture` (64 x 64 pixels) where a set has pictures of its own.
void write_labelled_sets(const std::filesystem::path& folder, const std::filesystem::path& picture);

}  // namespace diopter::test
