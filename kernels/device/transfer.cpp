#include "kernels/device/transfer.h"

#include <cstring>
#include <vector>

namespace diopter::cpu {

namespace {

/// Nothing runs beside anything here: copies are done at once.
class PlainMemory : public PinnedBuffer {
 public:
  explicit PlainMemory(std::size_t bytes) : memory_(bytes) {}
  void* data() override { return memory_.data(); }
  std::size_t bytes() const override { return memory_.size(); }
  void upload(void* to, std::size_t offset, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(to, memory_.data() + offset, bytes);
  }
  void download(const void* from, std::size_t bytes) override {
    if (bytes > 0) std::memcpy(memory_.data(), from, bytes);
  }

 private:
  std::vector<std::byte> memory_;
};

}  // namespace

std::unique_ptr<PinnedBuffer> make_pinned_buffer(std::size_t bytes) { return std::make_unique<PlainMemory>(bytes); }
SideStream make_side_stream() {
  return {[](const std::function<void()>& queue) { queue(); }, [] {}};
}

}  // namespace diopter::cpu
