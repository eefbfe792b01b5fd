// Profiler of time and memory. While a Profiler lives, it measures on its thread
//   phases      "forward", "backward", ...: a ProfiledScope of that kind
//   operations  the backward pass of each recorded operation (Tape::backward)
//   kernels     every call through DIOPTER_DISPATCH, with its floor (kernels/base/least_work.h)
// Without one, each of these looks at a thread-local pointer and does nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "kernels/base/least_work.h"
#include "kernels/device/memory.h"
#include "kernels/device/timeline.h"
#include "kernels/toolkit/observer.h"

namespace diopter {

/// Times are in microseconds since the first range began.
struct ProfiledRange {
  enum class Kind { phase, backward, kernel } kind;
  std::string name;
  std::string
      parameter;    // first of those that the operation takes, "backbone.body.conv1.weight"; "" when it takes none
  LeastWork least;  // of a kernel
  int parent = -1;  // place of the range that it lies in, -1: none
  double host_begin = 0, host_end = 0;  // when the host gave the work
  double begin = 0, end = 0;            // when the device did it; on the CPU the same
  int lane = 0;                         // which of the device's streams did it
  // Of phases: bytes of tensors and of the kernels' work space, at most and at the end.
  std::size_t peak_bytes = 0, bytes_after = 0;

  double microseconds() const { return end - begin; }
};

struct Profile {
  Device device = Device::cpu;
  std::vector<ProfiledRange> ranges;  // in the order of their beginnings
};

class Profiler {
 public:
  explicit Profiler(Device device);
  ~Profiler();
  Profiler(const Profiler&) = delete;

  /// That of this thread, the innermost one when there are several, or null.
  static Profiler* current() { return current_; }

  /// The measurements so far; waits for the device. No range may be open.
  Profile profile() const;

  /// A range begins, inside of those that have not ended.
  void begin(ProfiledRange::Kind kind, const std::string& name, const std::string& parameter = "",
             const LeastWork& least = {});
  /// The range that began last ends. An error of the device is left to its next call.
  void end() noexcept;
  /// Names the parameter of the kernels that ran since it was called before: for record().
  void name_parameter(const std::string& parameter);

 private:
  struct Range {
    ProfiledRange range;
    int begin, end;  // marks of the timelines
  };

  /// Adds the peak of memory to the phases that are open, and begins a new one.
  void update_peaks();

  inline static constinit thread_local Profiler* current_ = nullptr;

  Profiler* outer_;
  KernelObserver observer_;
  const KernelObserver* outer_observer_;
  Device device_;
  std::unique_ptr<Timeline> host_, gpu_;  // gpu_: null on the CPU
  std::vector<Range> ranges_;
  std::vector<int> open_;
  std::size_t unnamed_ = 0;  // the first range that name_parameter may name
};

/// A phase, or an operation's backward pass, from here to the end of the block, where there is a Profiler.
class ProfiledScope {
 public:
  explicit ProfiledScope(const char* phase) : ProfiledScope(ProfiledRange::Kind::phase, phase) {}
  ProfiledScope(ProfiledRange::Kind kind, const char* name, const std::string& parameter = "")
      : profiler_(Profiler::current()) {
    if (profiler_) profiler_->begin(kind, name, parameter);
  }
  ~ProfiledScope() {
    if (profiler_) profiler_->end();
  }
  ProfiledScope(const ProfiledScope&) = delete;

 private:
  Profiler* profiler_;
};

}  // namespace diopter
