// Pictures that diopter detect is to look at, and what its results call them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "tools/command/reading.h"

namespace diopter {

struct PictureRequest {
  std::vector<std::string> inputs;  // pictures, folders, "-" for names on standard input
  std::string list;                 // file with a name per line
  bool recursive = false;           // folders with all that is below them
  std::string not_below;            // a folder whose pictures are drawings, not inputs; may be empty
};

/// The pictures in the order in which they are named, folders by name, each once; numbered from 1. Names in lists that
/// nothing is found under stay: they are pictures that cannot be read. Throws Error for an input that does not exist,
/// a folder without pictures, and when there is no picture at all.
Dataset requested_pictures(const PictureRequest& request);

/// Ids and names of pictures in results: those of `annotations` for pictures that it lists. Throws Error that names the
/// first pictures that it does not, or not only once.
void take_ids(const std::string& annotations, const Dataset& listed, Dataset& pictures);

}  // namespace diopter
