// Warp operations: collectives among the lanes that a mask names. The last of them to arrive computes all results.
#include <algorithm>
#include <bit>
#include <cstdio>

#include "kernels/host_executor/options.h"
#include "kernels/host_executor/worker.h"

namespace diopter::host_executor {

namespace {

bool is_shuffle(WarpOperation operation) {
  return operation >= WarpOperation::shuffle && operation <= WarpOperation::shuffle_xor;
}

std::string hexadecimal(unsigned mask) {
  char text[16];
  std::snprintf(text, sizeof text, "%08x", mask);
  return text;
}

std::uint64_t combine(WarpOperation operation, std::uint64_t a, std::uint64_t b) {
  const auto is_signed = [](std::uint64_t word) { return static_cast<std::int32_t>(word); };
  switch (operation) {
    case WarpOperation::add: return static_cast<std::uint32_t>(a + b);
    case WarpOperation::minimum: return std::min(a, b);
    case WarpOperation::maximum: return std::max(a, b);
    case WarpOperation::signed_minimum: return is_signed(b) < is_signed(a) ? b : a;
    case WarpOperation::signed_maximum: return is_signed(a) < is_signed(b) ? b : a;
    case WarpOperation::bit_and: return a & b;
    case WarpOperation::bit_or: return a | b;
    default: return a ^ b;
  }
}

}  // namespace

std::uint64_t Worker::warp_operation(const WarpRequest& request) {
  const unsigned thread = thread_, warp = thread / kWarp, lane = thread % kWarp, mask = request.mask;
  const bool orders_memory = request.operation == WarpOperation::sync;
  const race_detector::Clock& order = actors_.warp(warp, warps_[warp].turn);
  if (orders_memory) order.release();
  race_detector::become(race_detector::executor());

  Thread* lanes = &threads_[warp * kWarp];
  lanes[lane].request = request;
  lanes[lane].site = request.site;
  if (!(mask >> lane & 1)) fail(text(name(thread), " is not in its own mask ", hexadecimal(mask)), request.site);
  for (unsigned other = 0; other < kWarp; ++other) {
    const WarpRequest& theirs = lanes[other].request;
    const bool concerned = warps_[warp].waiting >> other & 1 && (mask >> other & 1 || theirs.mask >> lane & 1);
    if (!concerned ||
        (theirs.operation == request.operation && theirs.mask == mask && same(theirs.site, request.site))) {
      continue;
    }
    fail(text("divergent warp operation: ", name(warp * kWarp + other), " waits at ", theirs.site, " with mask ",
              hexadecimal(theirs.mask), ", but ", name(thread), " arrives with mask ", hexadecimal(mask)),
         request.site);
  }
  warps_[warp].waiting |= 1u << lane;
  if (complete(warp, mask)) {
    finish_operation(warp, mask, lane);
    run_as(thread);
  } else {
    wait(thread);
  }
  if (orders_memory) order.acquire();
  return lanes[lane].result;
}

unsigned Worker::lanes_of(unsigned warp) const {
  const unsigned threads = count_ - warp * kWarp;
  return threads >= kWarp ? ~0u : (1u << threads) - 1;
}

unsigned Worker::active_lanes() const { return lanes_of(thread_ / kWarp) & ~warps_[thread_ / kWarp].returned; }

/// Whether all lanes of the mask wait, but for those that have returned.
bool Worker::complete(unsigned warp, unsigned mask) const {
  return (warps_[warp].waiting & mask) == (mask & lanes_of(warp) & ~warps_[warp].returned);
}

/// Computes the results and wakes all lanes that took part, except the one that runs already.
void Worker::finish_operation(unsigned warp, unsigned mask, unsigned running_lane) {
  Thread* lanes = &threads_[warp * kWarp];
  const unsigned taking_part = warps_[warp].waiting & mask;
  compute_results(lanes, taking_part);
  warps_[warp].waiting &= ~mask;
  warps_[warp].turn += lanes[std::countr_zero(taking_part)].request.operation == WarpOperation::sync;
  for (unsigned i = 0; i < kWarp; ++i) {
    unsigned lane = i;
    if (options().order == Order::reverse) lane = kWarp - 1 - i;
    if (options().order == Order::shuffle) lane = (i * 13 + options().seed) % kWarp;
    if (taking_part >> lane & 1 && lane != running_lane) wake(warp * kWarp + lane);
  }
}

void Worker::compute_results(Thread* lanes, unsigned taking_part) const {
  const WarpOperation operation = lanes[std::countr_zero(taking_part)].request.operation;
  std::uint64_t all = 0;
  bool first = true;
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(taking_part >> lane & 1)) continue;
    const std::uint64_t value = lanes[lane].request.value;
    if (operation == WarpOperation::ballot) {
      all |= value << lane;
    } else {
      all = first ? value : combine(operation, all, value);
    }
    first = false;
  }
  for (unsigned lane = 0; lane < kWarp; ++lane) {
    if (!(taking_part >> lane & 1)) continue;
    std::uint64_t result = all;
    if (is_shuffle(operation)) {
      result = shuffled(lanes, lane, taking_part);
    } else if (operation == WarpOperation::match) {
      result = 0;
      for (unsigned other = 0; other < kWarp; ++other) {
        const bool same = lanes[other].request.value == lanes[lane].request.value;
        result |= std::uint64_t{taking_part >> other & 1 && same} << other;
      }
    }
    lanes[lane].result = result;
  }
}

/// The value that `lane` receives, by the rules of the CUDA programming guide.
std::uint64_t Worker::shuffled(const Thread* lanes, unsigned lane, unsigned taking_part) const {
  const WarpRequest& request = lanes[lane].request;
  const unsigned argument = static_cast<unsigned>(request.argument), width = static_cast<unsigned>(request.width);
  const unsigned begin = lane / width * width, end = begin + width;
  unsigned source = lane;
  switch (request.operation) {
    case WarpOperation::shuffle: source = begin + argument % width; break;
    case WarpOperation::shuffle_up: source = lane >= begin + argument ? lane - argument : lane; break;
    case WarpOperation::shuffle_down: source = lane + argument < end ? lane + argument : lane; break;
    default: source = (lane ^ argument) < end ? lane ^ argument : lane;
  }
  if (!(taking_part >> source & 1)) {
    fail(text("lane ", lane, " reads lane ", source, ", which does not take part in the shuffle"), request.site);
  }
  return lanes[source].request.value;
}

}  // namespace diopter::host_executor
