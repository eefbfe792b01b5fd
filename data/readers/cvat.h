// CVAT's XML, "CVAT for images 1.1": of a task, a job or a project.
#pragma once

#include <string>

#include "data/readers/reading.h"

namespace diopter {

/// Elements <image name width height> with boxes (xtl, ytl, xbr, ybr, and a rotation in degrees about their centre),
/// polygons, ellipses and masks; of those that are no upright box the box around them is taken, a finding. Points,
/// lines, cuboids and skeletons are left out; tags are no boxes and are passed over. An image without shapes is a
/// negative. Where a project's images have a subset called as options.split (Train, Validation, Test), it alone is
/// read. Pictures lie in options.images; where that is "", in images beside the file, or in its own folder. Classes are
/// the labels of the boxes by name, from id 1. Errors name the file and the line; files of videos are one.
Dataset read_cvat(const std::string& file, const ReadOptions& options);

/// Whether it is an .xml file.
bool recognises_cvat(const std::string& annotations);

}  // namespace diopter
