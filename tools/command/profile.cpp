#include "tools/command/profile.h"

#include <cstdio>

#include "engine/profile/profile.h"
#include "kernels/base/files.h"
#include "kernels/base/parallel.h"
#include "tools/kernels/bench.h"

namespace diopter {

StepProfile::StepProfile(std::int64_t steps, const std::string& folder, Device device)
    : steps_(steps), folder_(folder), device_(device), roof_(measured_roof(device)) {}

void StepProfile::next_step() {
  if (begun_ == kWarmUp) profiler_ = std::make_unique<Profiler>(device_);
  if (begun_ == kWarmUp + steps_) write();
  ++begun_;
}

void StepProfile::finish() {
  if (profiler_) write();
  if (table_.empty()) {
    std::printf("nothing to profile: the run ended within the first %lld, which warm up\n",
                static_cast<long long>(kWarmUp));
  } else {
    std::printf("\n%s\n", table_.c_str());
  }
}

void StepProfile::write() {
  const Profile profile = profiler_->profile();
  profiler_.reset();
  const std::string device = device_ == Device::cpu ? "cpu, " + std::to_string(thread_count()) + " threads"
                             : kHasGpu              ? "cuda"
                                                    : "host executor";
  table_ =
      "profile on " + device + ", after " + std::to_string(kWarmUp) + " to warm up\n" + profile_table(profile, roof_);
  write_file_atomically(folder_ + "/profile.txt", table_);
  write_file_atomically(folder_ + "/profile.csv", profile_csv(profile, roof_));
  write_file_atomically(folder_ + "/trace.json", profile_trace(profile));
}

void add_profile_option(Command& command, std::int64_t& steps, const std::string& what, const std::string& where) {
  command.number("--profile", steps, "Measure N " + what + ": profile.txt, profile.csv and trace.json in the " + where)
      .positive()
      .type("N")
      .default_in_words();
}

}  // namespace diopter
