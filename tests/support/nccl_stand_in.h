// A stand-in for NCCL between threads of one process: messages pass through its memory.
#pragma once

#include <algorithm>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "generated/cuda_kind.h"
#include "kernels/base/check.h"
#include "kernels/device/borrowed_stream.h"
#include "kernels/device/device_link.h"
#include "kernels/device/transfer.h"
#include "kernels/toolkit/dispatch.h"

namespace diopter::test {

/// What the functions below share. Like NCCL's, they give work to the stream that they are called with; unlike them,
/// the end of a group waits for the other ranks' messages.
struct NcclStandIn {
  struct Call {
    void* memory;
    std::size_t bytes;
    int other;
    cudaStream_t stream;
    bool sends;
  };
  /// A communicator of one rank.
  struct Rank {
    std::string group;  // the Id
    int rank;
    std::vector<std::unique_ptr<PinnedBuffer>> staged;  // for copies that the stream has still to make
  };

  static NcclStandIn& all() {
    static NcclStandIn one;
    return one;
  }

  std::mutex mutex;
  std::condition_variable arrived;
  int ids = 0;
  std::map<std::tuple<std::string, int, int>, std::deque<std::string>> letters;  // by group, sender, receiver
  inline static thread_local std::vector<std::pair<Rank*, Call>> calls;          // of the open group

  static void send(Rank& from, const Call& call) {
    std::string bytes(call.bytes, '\0');
    const auto stream = DIOPTER_DISPATCH(Device::cuda, borrow_stream, call.stream);
    DIOPTER_DISPATCH(Device::cuda, copy_to_host, bytes.data(), call.memory, call.bytes);
    const std::lock_guard lock(all().mutex);
    all().letters[{from.group, from.rank, call.other}].push_back(std::move(bytes));
    all().arrived.notify_all();
  }
  static void receive(Rank& to, const Call& call) {
    std::unique_lock lock(all().mutex);
    std::deque<std::string>& from = all().letters[{to.group, call.other, to.rank}];
    all().arrived.wait(lock, [&] { return !from.empty(); });
    const std::string bytes = std::move(from.front());
    from.pop_front();
    lock.unlock();
    DIOPTER_CHECK(bytes.size() == call.bytes, "a message of ", bytes.size(), " bytes where ", call.bytes,
                  " are waited for");
    to.staged.push_back(DIOPTER_DISPATCH(Device::cuda, make_pinned_buffer, bytes.size()));
    std::memcpy(to.staged.back()->data(), bytes.data(), bytes.size());
    const auto stream = DIOPTER_DISPATCH(Device::cuda, borrow_stream, call.stream);
    to.staged.back()->upload(call.memory, 0, bytes.size());
  }
};

inline const NcclLibrary& nccl_stand_in() {
  using Rank = NcclStandIn::Rank;
  constexpr int kError = 5, kBytes = 1;
  static const NcclLibrary library{
      .get_unique_id =
          [](NcclLibrary::Id* id) {
            const std::lock_guard lock(NcclStandIn::all().mutex);
            std::memset(id->bytes, 0, sizeof id->bytes);
            const std::string text = "group " + std::to_string(++NcclStandIn::all().ids);
            std::memcpy(id->bytes, text.data(), text.size());
            return 0;
          },
      .init_rank =
          [](void** communicator, int, NcclLibrary::Id id, int rank) {
            *communicator = new Rank{.group = id.bytes, .rank = rank, .staged = {}};
            return 0;
          },
      .destroy = [](void* communicator) { return delete static_cast<Rank*>(communicator), 0; },
      .abort = [](void* communicator) { return delete static_cast<Rank*>(communicator), 0; },
      .async_error = [](void*, int* state) { return *state = 0, 0; },
      .group_start = [] { return NcclStandIn::calls.clear(), 0; },
      .group_end =
          [] {
            // First all sends, so that two ranks do not wait for each other.
            for (const bool sends : {true, false}) {
              for (const auto& [rank, call] : NcclStandIn::calls) {
                if (call.sends == sends) sends ? NcclStandIn::send(*rank, call) : NcclStandIn::receive(*rank, call);
              }
            }
            return NcclStandIn::calls.clear(), 0;
          },
      .send =
          [](const void* memory, std::size_t count, int type, int to, void* communicator, cudaStream_t stream) {
            if (type != kBytes) return kError;
            NcclStandIn::calls.push_back(
                {static_cast<Rank*>(communicator), {const_cast<void*>(memory), count, to, stream, true}});
            return 0;
          },
      .receive =
          [](void* memory, std::size_t count, int type, int from, void* communicator, cudaStream_t stream) {
            if (type != kBytes) return kError;
            NcclStandIn::calls.push_back({static_cast<Rank*>(communicator), {memory, count, from, stream, false}});
            return 0;
          },
      .error_text = [](int) { return "the stand-in fails"; }};
  return library;
}

}  // namespace diopter::test
