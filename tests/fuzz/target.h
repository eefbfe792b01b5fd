// Fuzz targets: readers of files, each given one input as libFuzzer makes it or as it stands in tests/fuzz/corpus.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace diopter::fuzz {

struct Target {
  const char* name;  // also of its folder in tests/fuzz/corpus
  /// Reads the input to its end. An Error is an answer; any other exception ends the program.
  void (*run)(std::string_view input);
};

std::span<const Target> annotation_targets();
std::span<const Target> configuration_targets();
std::span<const Target> picture_targets();
std::span<const Target> weight_targets();

/// Runs it; ends the program with a line and abort() when it takes more than 2 s of processor time, or, where a
/// sanitizer counts memory, more than limits::memory of the input's size.
void run_within_limits(const Target& target, std::string_view input);

/// The parts of an input between zero bytes, as many as asked for; missing ones are empty.
std::vector<std::string_view> split(std::string_view input, std::size_t parts);

/// A file in memory under a path that readers can open; the last one of the same extension is overwritten.
const std::string& in_memory(std::string_view bytes);

/// A folder in memory where there is such a file system.
const std::string& scratch_folder();
void write_scratch(const std::string& name, std::string_view bytes);

}  // namespace diopter::fuzz
