// ThreadSanitizer as a race detector for CUDA: each CUDA thread and each stream is one of its fibres, called an actor
// here, and barriers, __syncwarp, fences, launches and events are told to it as what they order. A race is then a pair
// of accesses that nothing orders, whatever order the executor happened to run them in: in shared and in global memory,
// within a block, between blocks, between streams, and between a stream and the host.
//
// The executor's own work is done by an actor whose accesses are ignored; its files are compiled without
// -fsanitize=thread. In other builds everything here is empty.
#pragma once

#include <pthread.h>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#ifdef DIOPTER_EXECUTOR_TSAN
extern "C" {  // declared here because not every compiler installs sanitizer/tsan_interface.h
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_destroy_fiber(void* fiber);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_set_fiber_name(void* fiber, const char* name);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateBenignRaceSized(const char* file, int line, void* address, std::size_t size, const char* description);
}
#endif

namespace diopter::host_executor::race_detector {

using Actor = void*;

#ifdef DIOPTER_EXECUTOR_TSAN

inline Actor current_actor() { return __tsan_get_current_fiber(); }
inline void become(Actor actor) {
  constexpr unsigned kNoOrder = 1;  // without it every switch would order what comes after behind what came before
  __tsan_switch_to_fiber(actor, kNoOrder);
}
inline Actor make_actor(const std::string& name) {
  Actor actor = __tsan_create_fiber(0);
  __tsan_set_fiber_name(actor, name.c_str());
  return actor;
}
inline void end_actor(Actor actor) { __tsan_destroy_fiber(actor); }

/// The thread that does the executor's own work.
inline Actor executor() {
  static const Actor actor = [] {
    const Actor caller = current_actor(), made = make_actor("host executor");
    become(made);
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
    become(caller);
    return made;
  }();
  return actor;
}

/// Stands for an order: who acquires comes after all who released before.
class Clock {
 public:
  void acquire() const { __tsan_acquire(address_.get()); }
  void release() const { __tsan_release(address_.get()); }

 private:
  // On the heap, because ThreadSanitizer forgets what it knows of an address when it is freed.
  std::unique_ptr<long> address_ = std::make_unique<long>();
};

/// Accesses to this memory by one CUDA thread after another are no races.
inline void stack_is_reused(const void* stack, std::size_t bytes) {
  AnnotateBenignRaceSized(__FILE__, __LINE__, const_cast<void*>(stack), bytes, "stacks are reused by CUDA threads");
}

/// The same for what the calling host thread has on its stack below the frame, where the work of one stream follows
/// that of another.
inline void stack_below_is_reused(const char* frame) {
  static thread_local const char* known = nullptr;
  if (known >= frame) return;
  known = frame;
  pthread_attr_t attributes;
  void* lowest = nullptr;
  std::size_t bytes = 0;
  pthread_getattr_np(pthread_self(), &attributes);
  pthread_attr_getstack(&attributes, &lowest, &bytes);
  pthread_attr_destroy(&attributes);
  stack_is_reused(lowest, static_cast<std::size_t>(frame - static_cast<const char*>(lowest)));
}

/// The actors of a worker's CUDA threads, and the orders within the block that it runs. ThreadSanitizer tells 255
/// actors apart, and says nothing once there are more. So threads share an actor whose numbers differ by a multiple of
/// 97, which no power of two is; a race is missed where only such threads have part in it.
class BlockActors {
 public:
  void block_begins(unsigned threads) {
    // Thread i of one block is another actor than thread i of the next.
    std::swap(actors_, others_);
    while (actors_.size() < std::min(threads, kMost)) {
      actors_.push_back(make_actor("CUDA thread " + std::to_string(actors_.size()) + " (+ 97 n)"));
    }
    orders_ = std::make_unique<Orders>();
  }
  void run_as(unsigned thread) const { become(actors_[thread % kMost]); }

  /// Of the turn-th barrier. Two in turn, so that a late thread of one barrier is not ordered by the next.
  const Clock& barrier(unsigned turn) const { return orders_->barrier[turn % 2]; }
  const Clock& warp(unsigned warp, unsigned turn) const { return orders_->warp[warp][turn % 2]; }

 private:
  static constexpr unsigned kMost = 97;
  struct Orders {
    Clock barrier[2], warp[32][2];
  };
  std::vector<Actor> actors_, others_;
  std::unique_ptr<Orders> orders_;  // fresh for each block
};

#else

inline Actor current_actor() { return nullptr; }
inline void become(Actor) {}
inline Actor make_actor(const std::string&) { return nullptr; }
inline void end_actor(Actor) {}
inline Actor executor() { return nullptr; }
struct Clock {
  void acquire() const {}
  void release() const {}
};
inline void stack_is_reused(const void*, std::size_t) {}
inline void stack_below_is_reused(const char*) {}
struct BlockActors {
  void block_begins(unsigned) {}
  void run_as(unsigned) const {}
  Clock barrier(unsigned) const { return {}; }
  Clock warp(unsigned, unsigned) const { return {}; }
};

#endif

/// While it lives, the given actor acts.
class As {
 public:
  explicit As(Actor actor) : before_(current_actor()) { become(actor); }
  ~As() { become(before_); }
  As(const As&) = delete;

 private:
  Actor before_;
};

}  // namespace diopter::host_executor::race_detector
