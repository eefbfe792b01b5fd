// Messages between ranks.
#pragma once

#include <cstdint>

#include "kernels/device/memory.h"

namespace diopter {

/// Messages between two ranks, which pass while these do other work: each begins them, and they move on by themselves
/// or within `progress`. Those of the same tag between the same ranks are matched in the order in which they were
/// begun.
class Messages {
 public:
  virtual ~Messages() = default;

  /// Where the memory lies that they pass from and to. It is not to be touched before `complete`.
  virtual Device memory() const { return Device::cpu; }
  virtual void begin_send(int to, int tag, const void* bytes, std::int64_t count) = 0;
  virtual void begin_receive(int from, int tag, void* bytes, std::int64_t count) = 0;
  /// All messages of this tag have been begun. Every rank that sends or receives one says so, all in the same order.
  virtual void all_begun(int /*tag*/) {}
  /// Does not wait. Bytes of what has begun that are still to come.
  virtual std::int64_t progress() = 0;
  /// The device, or on the CPU this thread, waits for all that has begun.
  virtual void complete() = 0;
  /// Bytes that this rank has sent to others so far.
  virtual std::int64_t bytes_sent() const = 0;
};

}  // namespace diopter
