// Code that pages show is code of the project.
#include "tests/docs/mark.h"
#include "tests/docs/page.h"
#include "tests/docs/tree.h"
#include "tests/support/catch.h"

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
