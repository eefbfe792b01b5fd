// Code that pages show is code of the project.
#include <algorithm>

#include "tests/docs/mark.h"
#include "tests/docs/page.h"
#include "tests/docs/tree.h"
#include "tests/support/files.h"

using namespace diopter::test;

TEST_CASE("docs: excerpts are those of their files") {
  int excerpts = 0;
  for (const Page& page : pages()) {
    for (const Fence& fence : page.fences) {
      const Mark mark = mark_of(fence);
      if (mark.kind != MarkKind::from) continue;
      INFO(place(page, fence.line) << ": not in " << mark.argument << ":\n" << fence.text);
      CHECK(exists_in_tree(mark.argument));
      CHECK(holds(source_text(mark.argument), fence.text));
      ++excerpts;
    }
  }
  REQUIRE(excerpts > 0);
}

TEST_CASE("docs: debugging_kernels.md names the lines of classification_loss.cu as they are") {
  const std::string page = source_text("docs/debugging_kernels.md");
  const std::string code = source_text("kernels/detection/classification_loss.cu");
  const auto line_of = [&](const std::string& part) {
    const std::size_t at = code.find(part);
    REQUIRE(at != std::string::npos);
    return 1 + std::count(code.begin(), code.begin() + static_cast<std::ptrdiff_t>(at), '\n');
  };
  const auto named = [&](const std::string& before, std::ptrdiff_t line, const std::string& behind) {
    const std::string text = before + std::to_string(line) + behind;
    INFO(text);
    CHECK(contains(page, text));
  };
  named("(gdb) break classification_loss.cu:", line_of("sum += element.value;"), " if");
  named("classification_loss.cu:", line_of("if (negative >> p & 1) logits[p] = load("), ":");
  // The tree that takes the place of block_sum begins with its array.
  named("partial[threadIdx.x] = sum;                                                              // line ",
        line_of("sum = block_sum") + 1, "\n");
  named("classification_loss.cu:", line_of("sum = block_sum") + 3, ":");
}
