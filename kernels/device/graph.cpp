#include "kernels/device/graph.h"

namespace diopter::cpu {

namespace {

class CalledWork : public RecordedWork {
 public:
  explicit CalledWork(const std::function<void()>& queue) : queue_(queue) {}
  void run() override { queue_(); }

 private:
  std::function<void()> queue_;
};

}  // namespace

std::unique_ptr<RecordedWork> record_work(const std::function<void()>& queue) {
  return std::make_unique<CalledWork>(queue);
}

}  // namespace diopter::cpu
