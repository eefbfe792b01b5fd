#include <algorithm>
#include <deque>

#include "kernels/base/check.h"
#include "kernels/device/device_link.h"

namespace diopter::cuda {

namespace {

constexpr int kBytes = 1;       // ncclUint8
constexpr int kInProgress = 7;  // ncclInProgress, a state that is no error

class NcclLink final : public DeviceLink {
 public:
  NcclLink(const NcclLibrary& library, const NcclLibrary::Id& id, int rank, int ranks) : library_(library) {
    check(library_.init_rank(&communicator_, ranks, id, rank), "ncclCommInitRank");
  }
  ~NcclLink() override {
    // Messages that another rank will never answer would keep it waiting.
    const bool all_came = std::all_of(under_way_.begin(), under_way_.end(), [](Group& g) { return g.done.reached(); });
    all_came ? library_.destroy(communicator_) : library_.abort(communicator_);
  }

  void pass(const std::vector<Message>& sends, const std::vector<Message>& receives) override {
    const cudaStream_t beside = stream_.reference().get();
    DIOPTER_CHECK(wait_for_current(beside), "messages between GPUs cannot be part of a graph");
    check(library_.group_start(), "ncclGroupStart");
    std::int64_t bytes = 0;
    for (const Message& m : sends) {
      check(library_.send(m.memory, m.bytes, kBytes, m.rank, communicator_, beside), "ncclSend");
    }
    for (const Message& m : receives) {
      check(library_.receive(m.memory, m.bytes, kBytes, m.rank, communicator_, beside), "ncclRecv");
      bytes += static_cast<std::int64_t>(m.bytes);
    }
    check(library_.group_end(), "ncclGroupEnd");
    const StreamScope scope(stream_);
    under_way_.emplace_back(bytes);
    under_way_.back().done.record();
  }

  void wait() override {
    int state = 0;
    check(library_.async_error(communicator_, &state), "ncclCommGetAsyncError");
    if (state != kInProgress) check(state, "a message between GPUs");
    if (!under_way_.empty()) under_way_.back().done.wait();
    bytes_to_come();
  }

  std::int64_t bytes_to_come() override {
    while (!under_way_.empty() && under_way_.front().done.reached()) under_way_.pop_front();
    std::int64_t bytes = 0;
    for (const Group& group : under_way_) bytes += group.bytes;
    return bytes;
  }

 private:
  void check(int result, const char* what) const {
    DIOPTER_CHECK(result == 0, what, " failed: ", library_.error_text(result));
  }

  struct Group {
    explicit Group(std::int64_t to_receive) : bytes(to_receive) {}
    std::int64_t bytes;
    Event done;
  };

  const NcclLibrary& library_;
  void* communicator_ = nullptr;
  Stream stream_;
  std::deque<Group> under_way_;  // the stream reaches them one after another
};

}  // namespace

std::unique_ptr<DeviceLink> link_devices(const NcclLibrary& library, const NcclLibrary::Id& id, int rank, int ranks) {
  return std::make_unique<NcclLink>(library, id, rank, ranks);
}

}  // namespace diopter::cuda
