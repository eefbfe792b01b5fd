#include "kernels/device/graph.h"

namespace diopter::cpu {

namespace {

class RepeatedCalls : public CapturedGraph {
 public:
  explicit RepeatedCalls(const std::function<void()>& queue) : queue_(queue) {}
  void run() override { queue_(); }

 private:
  std::function<void()> queue_;
};

}  // namespace

std::unique_ptr<CapturedGraph> capture_graph(const std::function<void()>& queue) {
  return std::make_unique<RepeatedCalls>(queue);
}

}  // namespace diopter::cpu
