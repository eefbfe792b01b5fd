// Sections that the reports of runs and of studies share.
#pragma once

#include <string>
#include <vector>

#include "retinanet/report/html.h"
#include "retinanet/training/provenance.h"

namespace diopter {

/// A number and what it is.
struct Tile {
  std::string value, name;
};
Html tiles(const std::vector<Tile>& all);

/// "57.3": a share of 1 in percent; "–" for what is negative, as metrics are where there is nothing to average.
std::string percent(double share);

Html paragraph(const std::string& text);
/// In small print.
Html remark(const std::string& text);

/// How to repeat it, machine and versions; tells that nothing is known when there are no starts.
Html origin_section(const std::vector<Start>& starts);

/// The last part of a path: "run" of "runs/run/".
std::string folder_name(const std::string& folder);

}  // namespace diopter
