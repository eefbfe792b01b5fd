// Figures as files: numbers, the gnuplot script that draws them, and the picture.
#pragma once

#include <string>
#include <vector>

namespace diopter {

/// NAME.csv, NAME.gp and NAME.svg. The script is complete but for terminal, output and separator, and finds its data
/// under the name DATA: `plot DATA using 1:2`.
struct Figure {
  std::string name, csv, script;
  int height = 480;  // of the picture; its width is 720
};

/// A plot command with a line for each title: that of DATA's column `first`, and of those after it, over column 1.
std::string plot_columns(std::size_t first, const std::vector<std::string>& titles);

/// Writes the figures into the folder, which is made where it is missing. Pictures are drawn where gnuplot is
/// installed; elsewhere, or when it fails, a line on stderr says that they were left out. Throws Error when the folder
/// cannot be written.
void write_figures(const std::string& folder, const std::vector<Figure>& figures);

}  // namespace diopter
