// The same labelled picture as every labelling program writes it, for the commands of docs/data.md.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace diopter::test {

/// Writes the sets into the folder, with copies of `picture` (64 x 64 pixels) where a set has pictures of its own.
void write_labelled_sets(const std::filesystem::path& folder, const std::filesystem::path& picture);

/// What Label Studio exports as JSON of these pictures (names without folder), uploaded and labelled as COCO files say.
std::string label_studio_export(const std::vector<std::filesystem::path>& coco_files,
                                const std::vector<std::string>& pictures);

}  // namespace diopter::test
