// Cut-outs of the worst errors of an evaluation, in the run folder.
#pragma once

#include <string>
#include <vector>

#include "data/metrics/worst_errors.h"
#include "retinanet/training/evaluation_file.h"

namespace diopter {

inline constexpr std::size_t kErrorCrops = 12;  // of each kind, at most

/// FOLDER/errors
std::string errors_folder(const std::string& folder);

/// Writes FOLDER/errors/false_01.jpg, ... and missed_01.jpg, ..., with the box drawn in and no side longer than 240
/// pixels, in place of those of the evaluation before. Returns what the report says of each. Pictures that cannot be
/// read are left out; `white` as for read_image. Throws Error when it cannot be written.
std::vector<RunEvaluation::Error> write_error_crops(const std::string& folder, const Dataset& truth,
                                                    const WorstErrors& errors, int white);

}  // namespace diopter
