// Messages between the memories of several processes' GPUs, by NCCL.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/host_device.h"
#include "kernels/base/least_work.h"
#include "kernels/device/stream.h"

namespace diopter {

/// Functions of NCCL, with the types that the header of its versions 2 gives them; the result is 0 for success.
struct NcclLibrary {
  struct Id {
    char bytes[128];
  };
  int (*get_unique_id)(Id* id);
  int (*init_rank)(void** communicator, int ranks, Id id, int rank);
  int (*destroy)(void* communicator);
  int (*abort)(void* communicator);
  int (*async_error)(void* communicator, int* state);
  int (*group_start)();
  int (*group_end)();
  int (*send)(const void* memory, std::size_t count, int type, int to, void* communicator, cudaStream_t stream);
  int (*receive)(void* memory, std::size_t count, int type, int from, void* communicator, cudaStream_t stream);
  const char* (*error_text)(int result);
};

class DeviceLink {
 public:
  virtual ~DeviceLink() = default;

  struct Message {
    int rank;  // the other one
    void* memory;
    std::size_t bytes;
  };
  /// Queues messages that pass together, after all that has been given to the current stream. Of two ranks each must
  /// have what the other one waits for in its next call. Does not wait. Throws Error.
  virtual void pass(const std::vector<Message>& sends, const std::vector<Message>& receives) = 0;
  /// What is given to the current stream from now on comes after all that has been queued. Does not block the host.
  /// Throws Error when messages have failed.
  virtual void wait() = 0;
  /// Bytes to receive of what has been queued that have not come yet.
  virtual std::int64_t bytes_to_come() = 0;
};

}  // namespace diopter

DIOPTER_KERNEL(
    /// Rank `rank` of `ranks` processes, all of which call this with the same Id, which one of them has from the
    /// library. Waits for the others. The library must outlive the result. Throws Error; always, on the CPU.
    std::unique_ptr<DeviceLink> link_devices(const NcclLibrary& library, const NcclLibrary::Id& id, int rank,
                                             int ranks))

namespace diopter::least_work {

inline constexpr NoWork link_devices;

}  // namespace diopter::least_work
