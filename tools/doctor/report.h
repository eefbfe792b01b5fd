// The doctor's findings for people and for programs.
#pragma once

#include <nlohmann/json.hpp>

#include "retinanet/doctor/doctor.h"

namespace diopter {

/// Sections of aligned numbers on stdout, the warnings last.
void print_report(const DoctorReport& report, const Config& config);

/// Everything, in full precision.
nlohmann::ordered_json json_of(const DoctorReport& report);

}  // namespace diopter
