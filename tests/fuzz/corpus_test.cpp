// The corpus of every fuzz target, as plain tests.
#include <filesystem>

#include "generated/source_dir.h"
#include "tests/fuzz/target.h"
#include "tests/support/catch.h"
#include "tests/support/files.h"

namespace diopter::test {
namespace {

void run_corpus(std::span<const fuzz::Target> targets) {
  for (const fuzz::Target& target : targets) {
    const std::filesystem::path folder = std::filesystem::path(DIOPTER_SOURCE_DIR) / "tests/fuzz/corpus" / target.name;
    REQUIRE(std::filesystem::is_directory(folder));
    int inputs = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
      INFO(entry.path());
      CHECK_NOTHROW(run_within_limits(target, read_bytes(entry.path())));
      ++inputs;
    }
    CHECK(inputs >= 5);
  }
}

}  // namespace

TEST_CASE("corpus of annotations") { run_corpus(fuzz::annotation_targets()); }
TEST_CASE("corpus of configurations") { run_corpus(fuzz::configuration_targets()); }
TEST_CASE("corpus of pictures") { run_corpus(fuzz::picture_targets()); }
TEST_CASE("corpus of weights") { run_corpus(fuzz::weight_targets()); }

TEST_CASE("the corpus is small") {
  std::uintmax_t bytes = 0;
  const std::string folder = DIOPTER_SOURCE_DIR "/tests/fuzz/corpus";
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    if (entry.is_regular_file()) bytes += entry.file_size();
  }
  CHECK(bytes < (2u << 20));
}

TEST_CASE("parts of an input") {
  const std::vector<std::string_view> parts = fuzz::split(std::string_view("a\0b\0c", 5), 2);
  CHECK(parts == std::vector<std::string_view>{"a", std::string_view("b\0c", 3)});
  CHECK(fuzz::split("a", 3) == std::vector<std::string_view>{"a", "", ""});
}

}  // namespace diopter::test
