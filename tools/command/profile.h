// Profiling for users: --profile of diopter train and diopter detect.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/profile/profile.h"
#include "engine/profile/profile_report.h"
#include "tools/command/options.h"

namespace diopter {

/// Measures some steps of a run (batches, for detect) after a few that warm up, or as many as the run has. What it
/// finds is in FOLDER/profile.txt, FOLDER/profile.csv and FOLDER/trace.json as soon as those steps are done.
class StepProfile {
 public:
  /// In the first steps memory is new and, on a GPU, convolutions are planned: they are not measured.
  static constexpr std::int64_t kWarmUp = 3;

  /// Measures the roof, too.
  StepProfile(std::int64_t steps, const std::string& folder, Device device);

  /// To be called before each step, on the thread that takes it.
  void next_step();
  /// To be called when the last step is done: prints the tables.
  void finish();

 private:
  void write();

  std::int64_t steps_, begun_ = 0;
  std::string folder_, table_;
  Device device_;
  Roof roof_;
  std::unique_ptr<Profiler> profiler_;
};

/// Adds --profile N: `what` are measured, the files go to `where`.
void add_profile_option(Command& command, std::int64_t& steps, const std::string& what, const std::string& where);

}  // namespace diopter
