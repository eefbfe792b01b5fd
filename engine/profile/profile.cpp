#include "engine/profile/profile.h"

#include <algorithm>

#include "kernels/toolkit/dispatch.h"

namespace diopter {

Profiler::Profiler(Device device)
    : outer_(current_),
      observer_{this,
                [](void* self, const char* name, const LeastWork& least) {
                  static_cast<Profiler*>(self)->begin(ProfiledRange::Kind::kernel, name, "", least);
                },
                [](void* self) noexcept { static_cast<Profiler*>(self)->end(); }},
      outer_observer_(kernel_observer),
      device_(device),
      host_(cpu::make_timeline()),
      gpu_(device == Device::cpu ? nullptr : DIOPTER_DISPATCH(device, make_timeline)) {
  current_ = this;
  kernel_observer = &observer_;
}

Profiler::~Profiler() {
  current_ = outer_;
  kernel_observer = outer_observer_;
}

void Profiler::begin(ProfiledRange::Kind kind, const std::string& name, const std::string& parameter,
                     const LeastWork& least) {
  const int parent = open_.empty() ? -1 : open_.back();
  const bool inherits = parent >= 0 && parameter.empty();
  if (kind == ProfiledRange::Kind::phase) {
    update_peaks();
    unnamed_ = ranges_.size() + 1;
  }
  open_.push_back(static_cast<int>(ranges_.size()));
  ranges_.push_back({{kind, name, inherits ? ranges_[parent].range.parameter : parameter, least, parent}, 0, 0});
  if (gpu_) gpu_->begin(name.c_str());
  ranges_.back().begin = host_->begin(name.c_str());
}

void Profiler::end() noexcept {
  Range& range = ranges_[open_.back()];
  try {
    range.end = host_->end();
    if (gpu_) gpu_->end();
    if (range.range.kind == ProfiledRange::Kind::phase) {
      update_peaks();
      range.range.bytes_after = DIOPTER_DISPATCH(device_, allocated_bytes);
    }
  } catch (const Error&) {  // of the device, whose next call will say so
  }
  open_.pop_back();
}

void Profiler::name_parameter(const std::string& parameter) {
  for (; unnamed_ < ranges_.size(); ++unnamed_) {
    ProfiledRange& range = ranges_[unnamed_].range;
    if (range.kind == ProfiledRange::Kind::kernel) range.parameter = parameter;
  }
}

void Profiler::update_peaks() {
  const std::size_t peak = DIOPTER_DISPATCH(device_, peak_bytes);
  for (const int open : open_) {
    ProfiledRange& range = ranges_[open].range;
    if (range.kind == ProfiledRange::Kind::phase) range.peak_bytes = std::max(range.peak_bytes, peak);
  }
  DIOPTER_DISPATCH(device_, reset_peak_bytes);
}

Profile Profiler::profile() const {
  DIOPTER_CHECK(open_.empty(), "a profile while ", ranges_[open_.back()].range.name, " runs");
  const std::vector<Timeline::Mark> host = host_->marks(), device = gpu_ ? gpu_->marks() : host;
  Profile result{device_, {}};
  for (const Range& measured : ranges_) {
    ProfiledRange range = measured.range;
    range.host_begin = host[measured.begin].microseconds;
    range.host_end = host[measured.end].microseconds;
    range.begin = device[measured.begin].microseconds;
    range.end = device[measured.end].microseconds;
    range.lane = device[measured.begin].lane;
    result.ranges.push_back(range);
  }
  return result;
}

}  // namespace diopter
