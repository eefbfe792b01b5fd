#include <cuda_runtime_api.h>

#include "kernels/device/cuda_check.h"
#include "kernels/device/memory.h"
#include "kernels/device/stream.h"
#include "kernels/device/transfer.h"

namespace diopter::cuda {

namespace {

class PageLockedMemory : public PinnedBuffer {
 public:
  explicit PageLockedMemory(std::size_t bytes) : memory_(allocate_pinned(bytes)), bytes_(bytes) {}
  ~PageLockedMemory() override {
    try {
      last_copy_.synchronize();
    } catch (...) {  // the copy failed: so will the next call that can say so
    }
    deallocate_pinned(memory_);
  }
  void* data() override {
    last_copy_.synchronize();
    return memory_;
  }
  std::size_t bytes() const override { return bytes_; }
  void upload(void* to, std::size_t offset, std::size_t bytes) override {
    queue_copy_from_host(to, static_cast<const char*>(memory_) + offset, bytes);
    last_copy_.record();
  }
  void download(const void* from, std::size_t bytes) override {
    if (bytes > 0) check(cudaMemcpyAsync(memory_, from, bytes, cudaMemcpyDeviceToHost, stream()), "cudaMemcpyAsync");
    last_copy_.record();
  }

 private:
  void* memory_;
  std::size_t bytes_;
  Event last_copy_;  // of one stream at a time: copies are reached in the order they were queued
};

}  // namespace

std::unique_ptr<PinnedBuffer> make_pinned_buffer(std::size_t bytes) {
  return std::make_unique<PageLockedMemory>(bytes);
}

SideStream make_side_stream() {
  struct Beside {
    Stream stream;
    Event done;
  };
  const auto beside = std::make_shared<Beside>();
  return {[beside](const std::function<void()>& queue) {
            const StreamScope scope(beside->stream);
            queue();
            beside->done.record();
          },
          [beside] { beside->done.wait(); }};
}

}  // namespace diopter::cuda
