#include <algorithm>
#include <deque>

#if __has_include(<nvtx3/nvToolsExt.h>)  // part of the toolkit; not of the headers that the host executor needs
#include <nvtx3/nvToolsExt.h>
#endif

#include "kernels/device/stream.h"
#include "kernels/device/timeline.h"

namespace diopter::cuda {

namespace {

#ifdef NVTX_VERSION
void push_range(const char* name) { nvtxRangePushA(name); }
void pop_range() { nvtxRangePop(); }
#else
void push_range(const char*) {}
void pop_range() {}
#endif

class EventTimeline : public Timeline {
 public:
  int begin(const char* name) override {
    push_range(name);
    return mark();
  }
  int end() override {
    pop_range();
    return mark();
  }
  std::vector<Mark> marks() const override {
    std::vector<Mark> result;
    double microseconds = 0;
    const Event* before = nullptr;
    for (const Recorded& mark : marks_) {
      if (mark.in_time) {
        mark.event.synchronize();
        // From mark to mark: CUDA gives float milliseconds, too coarse for long times.
        if (before) microseconds += 1e3 * static_cast<double>(mark.event.milliseconds_since(*before));
        before = &mark.event;
      }
      result.push_back({microseconds, mark.lane});
    }
    return result;
  }

 private:
  struct Recorded {
    Event event;
    int lane = 0;
    bool in_time = false;  // a graph that is being captured takes none; its marks are where the one before them is
  };

  int mark() {
    const cudaStream_t current = stream();
    const auto found = std::find(lanes_.begin(), lanes_.end(), current);
    const int lane = static_cast<int>(found - lanes_.begin());
    if (found == lanes_.end()) lanes_.push_back(current);
    Recorded& mark = marks_.emplace_back();
    mark.lane = lane;
    mark.in_time = !capturing();
    if (mark.in_time) mark.event.record();
    return static_cast<int>(marks_.size()) - 1;
  }

  std::deque<Recorded> marks_;  // does not move them
  std::vector<cudaStream_t> lanes_;
};

}  // namespace

std::unique_ptr<Timeline> make_timeline() { return std::make_unique<EventTimeline>(); }

}  // namespace diopter::cuda
