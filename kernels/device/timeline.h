// Timeline of a device: when it reached points of its work, for profiles.
#pragma once

#include <memory>
#include <vector>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"

namespace diopter {

class Timeline {
 public:
  struct Mark {
    double microseconds;  // since the first mark
    int lane;             // which of the device's streams it lies on, numbered as they were first met
  };

  virtual ~Timeline() = default;
  /// Opens a range: a mark behind the work given to the current stream so far, and on a GPU an NVTX range of that name,
  /// which Nsight shows. Returns the mark's number. Waits for nothing.
  virtual int begin(const char* name) = 0;
  /// Closes the range that was opened last, with another mark.
  virtual int end() = 0;
  /// All marks; waits for them to be reached.
  virtual std::vector<Mark> marks() const = 0;
};

}  // namespace diopter

DIOPTER_KERNEL(std::unique_ptr<Timeline> make_timeline())

namespace diopter::least_work {

inline constexpr NoWork make_timeline;

}  // namespace diopter::least_work
