// Label Studio's JSON: the exports "JSON" and "JSON-MIN".
#pragma once

#include <string>

#include "data/readers/reading.h"

namespace diopter {

/// A list of tasks. A task's picture is data.image, or the only other text in data that is a picture's name: an upload
/// (whose file may lack the random letters that the server put before its name), a path of its storage, an address, or
/// /data/local-files/?d=PATH. Its boxes are the results with a label of one annotation: the one that is marked as
/// ground truth, else the first that was not cancelled. x, y, width, height are per cent of original_width and
/// original_height, or of the picture where those are missing; rotation is in degrees about the corner (x, y). Polygons
/// and ellipses give the box around them; results without a box are left out. An annotation without results makes a
/// negative; a task without an annotation is left out, a finding. Classes are numbered by name, from id 1.
Dataset read_label_studio(const std::string& file, const ReadOptions& options);

/// Whether it is a .json file with a list of tasks.
bool recognises_label_studio(const std::string& annotations);

}  // namespace diopter
