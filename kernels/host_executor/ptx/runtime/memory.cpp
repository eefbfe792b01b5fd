#include "kernels/host_executor/ptx/runtime/memory.h"

#include <cstring>

#include "kernels/host_executor/runtime.h"
#include "kernels/host_executor/worker.h"

namespace diopter::host_executor::ptx {

__thread Range recent_allocations[kRecent];

namespace {

__thread std::uint64_t seen_changes;
__thread unsigned next_recent;

[[noreturn]] void report(u64 address, std::size_t bytes, const std::string& what, Site site) {
  Worker::current()->fail(text("thread (", threadIdx.x, ",", threadIdx.y, ",", threadIdx.z, "): ", bytes, " bytes at ",
                               reinterpret_cast<const void*>(address), " are ", what),
                          site);
}

/// Where an address just behind an allocation lies.
std::string nearest(const Allocation& before, u64 address) {
  const u64 end = reinterpret_cast<u64>(before.begin) + before.bytes;
  if (!before.begin || address - end > 64) return "";
  return text(", ", address - end, " bytes behind the end of ", before.bytes, " bytes");
}

}  // namespace

void forget_old_allocations() {
  const Runtime& runtime = Runtime::get();
  const std::uint64_t changes = runtime.device.changes() + runtime.pinned.changes();
  if (changes == seen_changes) return;
  seen_changes = changes;
  std::memset(recent_allocations, 0, sizeof recent_allocations);
}

u8* global_memory(u64 address, std::size_t bytes, Site site) {
  race_detector::As as(race_detector::executor());
  if (address % bytes != 0) report_misaligned(address, bytes, site);
  // No lock: the stream that runs this kernel holds it, so that nothing is allocated or freed meanwhile.
  const Runtime& runtime = Runtime::get();
  const void* p = reinterpret_cast<const void*>(address);
  for (const Allocation& allocation : {runtime.device.allocation_before(p), runtime.pinned.allocation_before(p)}) {
    const u64 begin = reinterpret_cast<u64>(allocation.begin);
    const Range range{begin, begin + allocation.bytes};
    if (!range.holds(address, bytes)) continue;
    recent_allocations[next_recent++ % kRecent] = range;
    return reinterpret_cast<u8*>(address);
  }
  report(address, bytes, "outside of the device's memory" + nearest(runtime.device.allocation_before(p), address),
         site);
}

u8* memory_of(const SharedVariable& variable) {
  return static_cast<u8*>(Worker::current()->shared_variable(&variable, variable.bytes, variable.alignment));
}

void report_outside(const char* memory, u64 address, std::size_t bytes, Site site) {
  report(address, bytes, text("outside of ", memory), site);
}

void report_misaligned(u64 address, std::size_t bytes, Site site) {
  report(address, bytes, "at a misaligned address", site);
}

}  // namespace diopter::host_executor::ptx
