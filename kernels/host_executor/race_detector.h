// ThreadSanitizer as a race detector for CUDA threads: each CUDA thread is one of its fibres, and barriers, __syncwarp and
// fences are told to it as what they order. A race is then two accesses that nothing orders, whatever order the executor
// happened to run them in: in shared and in global memory, within a block and between blocks.
//
// The executor's own work runs as the fibre of the host thread; its files are compiled without -fsanitize=thread.
// Everything here is empty in other builds.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#ifdef DIOPTER_EXECUTOR_TSAN
extern "C" {  // declared here because not every compiler installs sanitizer/tsan_interface.h
void* __tsan_get_current_fiber();
void* __tsan_create_fiber(unsigned flags);
void __tsan_switch_to_fiber(void* fiber, unsigned flags);
void __tsan_set_fiber_name(void* fiber, const char* name);
void __tsan_acquire(void* address);
void __tsan_release(void* address);
void AnnotateBenignRaceSized(const char* file, int line, void* address, std::size_t size, const char* description);
}
#endif

namespace diopter::host_executor::race_detector {

/// An address that stands for an order: who acquires comes after all who released before.
using Clock = char;

#ifdef DIOPTER_EXECUTOR_TSAN

inline void acquire(Clock* clock) { __tsan_acquire(clock); }
inline void release(Clock* clock) { __tsan_release(clock); }

/// Accesses to this memory by one CUDA thread after another are no races.
inline void stack_is_reused(const void* stack, std::size_t bytes) {
  AnnotateBenignRaceSized(__FILE__, __LINE__, const_cast<void*>(stack), bytes, "stacks are reused by CUDA threads");
}

/// The identities of the CUDA threads of one worker, and the orders within the block that it runs.
class Threads {
 public:
  /// name(i) describes thread i in reports.
  template <class Name>
  void block_begins(unsigned threads, Name name) {
    runtime_ = __tsan_get_current_fiber();
    // Thread i of one block is another thread than thread i of the next.
    set_ ^= 1;
    for (auto& set = sets_[set_]; set.size() < threads;) {
      set.push_back(__tsan_create_fiber(0));
      __tsan_set_fiber_name(set.back(), name(static_cast<unsigned>(set.size() - 1)).c_str());
    }
    clocks_ = new Clocks;  // fresh addresses: nothing is ordered by what an earlier block did
    release(&begin_);
  }
  /// Calls free_memory() ordered after all of the block, and before nothing else.
  template <class Free>
  void block_ends(Free free_memory) {
    if (!janitor_) janitor_ = __tsan_create_fiber(0);
    __tsan_switch_to_fiber(janitor_, kNoOrder);
    acquire(&end_);
    free_memory();
    delete clocks_;
    run_as_executor();
  }
  /// All blocks of a grid come before what the host thread does next, and in no order among themselves.
  void grid_ends() { acquire(&end_); }

  void thread_begins() { acquire(&begin_); }
  void thread_ends() { release(&end_); }
  void run_as(unsigned thread) { __tsan_switch_to_fiber(sets_[set_][thread], kNoOrder); }
  void run_as_executor() { __tsan_switch_to_fiber(runtime_, kNoOrder); }

  /// Two in turn, so that a late reader of one barrier is not ordered by the next.
  Clock* barrier(unsigned turn) { return clocks_->barrier[turn % 2]; }
  Clock* warp(unsigned warp, unsigned turn) { return clocks_->warp[warp][turn % 2]; }
  Clock* variable(std::size_t index) { return clocks_->variable[index % 8]; }

 private:
  static constexpr unsigned kNoOrder = 1;  // of __tsan_switch_to_fiber
  struct Clocks {
    alignas(8) Clock barrier[2][8], warp[32][2][8], variable[8][8];
  };
  std::vector<void*> sets_[2];
  int set_ = 0;
  void* runtime_ = nullptr;
  void* janitor_ = nullptr;
  Clocks* clocks_ = nullptr;
  alignas(8) Clock begin_, end_;
};

#else

inline void acquire(Clock*) {}
inline void release(Clock*) {}
inline void stack_is_reused(const void*, std::size_t) {}

class Threads {
 public:
  template <class Name>
  void block_begins(unsigned, Name) {}
  template <class Free>
  void block_ends(Free free_memory) {
    free_memory();
  }
  void grid_ends() {}
  void thread_begins() {}
  void thread_ends() {}
  void run_as(unsigned) {}
  void run_as_executor() {}
  Clock* barrier(unsigned) { return nullptr; }
  Clock* warp(unsigned, unsigned) { return nullptr; }
  Clock* variable(std::size_t) { return nullptr; }
};

#endif

}  // namespace diopter::host_executor::race_detector
