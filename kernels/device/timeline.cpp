#include "kernels/device/timeline.h"

#include <chrono>

namespace diopter::cpu {

namespace {

using Clock = std::chrono::steady_clock;

/// Work is done when a call returns: a mark is the time of day.
class ClockTimeline : public Timeline {
 public:
  int begin(const char*) override { return end(); }
  int end() override {
    times_.push_back(Clock::now());
    return static_cast<int>(times_.size()) - 1;
  }
  std::vector<Mark> marks() const override {
    std::vector<Mark> result;
    for (const Clock::time_point time : times_) {
      result.push_back({std::chrono::duration<double, std::micro>(time - times_.front()).count(), 0});
    }
    return result;
  }

 private:
  std::vector<Clock::time_point> times_;
};

}  // namespace

std::unique_ptr<Timeline> make_timeline() { return std::make_unique<ClockTimeline>(); }

}  // namespace diopter::cpu
