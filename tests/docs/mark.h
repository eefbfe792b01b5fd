// Marks of fenced blocks: what the tests do with each block of a page.
#pragma once

#include <string>
#include <vector>

#include "tests/docs/page.h"

namespace diopter::test {

enum class MarkKind {
  run,             // sh: runs as it stands
  run_on_cuda,     // sh: the same, in builds that have a device `cuda`
  not_run,         // sh: with a reason
  output,          // what the block above prints
  output_varying,  // the same, but for the numbers of lines with this word
  not_compared,    // output, with a reason
  file,            // a file of this name for the blocks below
  from,            // an excerpt of a source file of this path
  not_compiled,    // code, with a reason
  drawing,         // language `text`: needs no mark
  unknown
};

struct Mark {
  MarkKind kind;
  std::string argument;  // what stands behind the colon: reason, name, path, word, or files that a block needs
};

/// The mark of a block; `unknown` where it has none, where its language does not take it, or where the reason, name or
/// path is missing.
Mark mark_of(const Fence& fence);

/// Whether text holds what is shown, apart from blanks, line breaks and beginnings of comments. `...` stands for
/// anything.
bool holds(const std::string& text, const std::string& shown);

/// The text with every number replaced by 0 in lines that hold the word.
std::string without_numbers(const std::string& text, const std::string& word);

}  // namespace diopter::test
