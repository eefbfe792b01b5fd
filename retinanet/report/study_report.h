// report.html of a study.
#pragma once

#include <string>

#include "retinanet/laboratory/study.h"

namespace diopter {

/// The report of a study whose runs have all ended: result, charts, tuning, runs, protocol, machine. Throws Error that
/// says how many runs are missing, or names the file that cannot be used.
std::string study_report(const Study& study);

/// Writes it as report.html in the study's folder.
void write_study_report(const Study& study);

}  // namespace diopter
