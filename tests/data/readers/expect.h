// What tests of readers compare: boxes and findings in one line each.
#pragma once

#include <sstream>
#include <string>

#include "data/dataset.h"

namespace diopter::test {

/// "cat 12 10 28 20; dog 1 2 3 4": class, corner and size of each annotation of a picture.
inline std::string boxes_of(const Dataset& dataset, std::size_t image = 0) {
  std::ostringstream text;
  for (const Annotation& a : dataset.images.at(image).annotations) {
    text << (text.str().empty() ? "" : "; ") << dataset.categories.at(static_cast<std::size_t>(a.category)).name << ' '
         << a.rect.x << ' ' << a.rect.y << ' ' << a.rect.w << ' ' << a.rect.h;
  }
  return text.str();
}

/// "polygon 2 (line 3, line 4); no_label 1 (line 9)"
inline std::string findings_of(const Dataset& dataset) {
  std::string text;
  for (const Finding& f : dataset.findings) {
    text += (text.empty() ? "" : "; ") + f.kind + " " + std::to_string(f.count) + " (";
    for (const std::string& place : f.places) text += (&place == &f.places[0] ? "" : ", ") + place;
    text += ")";
  }
  return text;
}

}  // namespace diopter::test
