// The doctor's findings for people and for programs.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "retinanet/doctor/doctor.h"
#include "retinanet/doctor/ranks_forecast.h"

namespace diopter {

/// Sections of aligned numbers on stdout, the warnings last.
void print_report(const DoctorReport& report, const Config& config);

/// Steps on several numbers of processes.
struct RanksForecast {
  Network network;
  double shard_seconds;
  std::vector<StepForecast> steps;
};

void print_forecast(const RanksForecast& forecast, const Config& config);

/// Everything as JSON text, in full precision; times in seconds.
std::string json_text(const DoctorReport& report, const std::optional<RanksForecast>& forecast);

}  // namespace diopter
