// The doctor's findings for people and for programs.
#pragma once

#include <string>

#include "retinanet/doctor/doctor.h"

namespace diopter {

/// Sections of aligned numbers on stdout, the warnings last.
void print_report(const DoctorReport& report, const Config& config);

/// Everything as JSON text, in full precision.
std::string json_text(const DoctorReport& report);

}  // namespace diopter
