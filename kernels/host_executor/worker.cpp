#include "kernels/host_executor/worker.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "kernels/host_executor/options.h"

namespace diopter::host_executor {

#ifdef DIOPTER_EXECUTOR_CHECK
uint3 current_thread, current_block;
dim3 current_block_size, current_grid_size;
#else
__thread uint3 current_thread, current_block;
__thread dim3 current_block_size, current_grid_size;
#endif

Worker*& Worker::current() {
  static thread_local Worker* worker = nullptr;
  return worker;
}

Worker::~Worker() {
  for (Fibre* fibre : fibres_) destroy_fibre(fibre);
}

void Worker::run_block(const Grid& grid, const GridOrder& order, std::uint64_t block) {
  current() = this;
  grid_ = &grid;
  grid_order_ = &order;
  const dim3 size = grid.shape.grid;
  current_grid_size = size;
  current_block_size = grid.shape.block;
  current_block = {static_cast<unsigned>(block % size.x), static_cast<unsigned>(block / size.x % size.y),
                   static_cast<unsigned>(block / size.x / size.y)};
  count_ = unfinished_ = grid.threads();
  started_ = arrived_ = barriers_ = ready_begin_ = ready_end_ = 0;
  std::fill_n(warps_, (count_ + kWarp - 1) / kWarp, Warp{0, 0, 0});
  arrange_threads(block);
  const std::size_t bytes = grid.shape.shared;
  dynamic_shared_ = bytes > 0 ? fresh_shared(&dynamic_shared_, bytes, 16) : nullptr;
  actors_.block_begins(count_);

  switch_to(next_fibre());
  if (unfinished_ > 0) fail_deadlock();

  free_shared();
  current() = nullptr;
}

void Worker::arrange_threads(std::uint64_t block) {
  const Order order = options().order;
  if (arranged_ == count_ && order != Order::shuffle) return;
  arranged_ = count_;
  for (unsigned i = 0; i < count_; ++i) order_[i] = order == Order::reverse ? count_ - 1 - i : i;
  if (order != Order::shuffle) return;
  std::uint64_t random = options().seed * 0x9e3779b97f4a7c15u + block;
  for (unsigned i = count_; i > 1; --i) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    std::swap(order_[i - 1], order_[(random >> 33) % i]);
  }
}

void Worker::fibre_main() {
  Worker& worker = *current();
  fibre_entered(*worker.running_);
  worker.run_threads();
}

void Worker::run_threads() {
  for (;;) {
    while (ready_begin_ == ready_end_ && started_ < count_) {
      const unsigned thread = order_[started_++];
      run_as(thread);
      grid_order_->begin.acquire();
      grid_->run(grid_->arguments.get());
      grid_order_->end.release();
      race_detector::become(race_detector::executor());
      thread_returned(thread);
    }
    idle_.push_back(running_);
    Fibre* next = next_fibre();
    if (next == running_) {
      idle_.pop_back();
    } else {
      switch_to(next);
    }
  }
}

// Not inlined: a fibre may go on on another host thread, so no address of a thread-local variable may outlive a switch.
[[gnu::noinline]] void Worker::run_as(unsigned thread) {
  const dim3 size = grid_->shape.block;
  thread_ = thread;
  current_thread = size.y * size.z == 1 ? uint3{thread, 0, 0}
                                        : uint3{thread % size.x, thread / size.x % size.y, thread / (size.x * size.y)};
  actors_.run_as(thread);
}

void Worker::switch_to(Fibre* fibre) {
  Fibre* from = running_;
  running_ = fibre;
  switch_fibre(*from, *fibre);
}

/// Whom to continue: a thread whose wait is over, else a fibre to start another thread on, else the host thread.
Fibre* Worker::next_fibre() {
  if (ready_begin_ != ready_end_) return threads_[ready_[ready_begin_++ % kMaxThreads]].fibre;
  if (started_ == count_) return &own_stack_;
  if (idle_.empty()) {
    fibres_.push_back(make_fibre(fibre_main));
    return fibres_.back();
  }
  Fibre* fibre = idle_.back();
  idle_.pop_back();
  return fibre;
}

/// Lets others run until somebody wakes this thread.
void Worker::wait(unsigned thread) {
  threads_[thread].fibre = running_;
  Fibre* next = next_fibre();
  if (next != running_) switch_to(next);
  run_as(thread);
}

void Worker::thread_returned(unsigned thread) {
  --unfinished_;
  if (arrived_ > 0) {
    fail(text(name(thread), " returned while ", name(first_arrived_), " waits at the barrier"),
         threads_[first_arrived_].site);
  }
  // Lanes that wait for this one wait no longer: a lane that has returned takes part in nothing.
  const unsigned warp = thread / kWarp;
  warps_[warp].returned |= 1u << thread % kWarp;
  for (unsigned waiting = warps_[warp].waiting; waiting != 0;) {
    const unsigned mask = threads_[warp * kWarp + std::countr_zero(waiting)].request.mask;
    waiting &= ~mask;
    if (complete(warp, mask)) finish_operation(warp, mask, kWarp);
  }
}

int Worker::barrier(BarrierKind kind, bool predicate, Site site) {
  const unsigned thread = thread_;
  const race_detector::Clock& order = actors_.barrier(barriers_);
  order.release();
  race_detector::become(race_detector::executor());

  Thread& me = threads_[thread];
  me.site = site;
  me.barrier = kind;
  if (arrived_ == 0) {
    first_arrived_ = thread;
    votes_ = 0;
  } else if (const Thread& first = threads_[first_arrived_]; first.barrier != kind || !same(first.site, site)) {
    fail(text("divergent barrier: ", name(first_arrived_), " waits at ", first.site, ", but ", name(thread),
              " arrives at another"),
         site);
  }
  if (unfinished_ < count_) fail(text(name(thread), " is at a barrier that another thread has returned before"), site);
  votes_ += predicate;
  if (++arrived_ == count_) {
    const bool yes = kind == BarrierKind::all ? votes_ == count_ : votes_ > 0;
    for (unsigned i = 0; i < count_; ++i) {
      threads_[order_[i]].result = kind == BarrierKind::count ? votes_ : yes;
      wake(order_[i]);
    }
    arrived_ = 0;
    ++barriers_;
  }
  wait(thread);
  order.acquire();
  return static_cast<int>(me.result);
}

std::string Worker::name(unsigned thread) const {
  const dim3 size = grid_->shape.block;
  return text("thread (", thread % size.x, ",", thread / size.x % size.y, ",", thread / size.x / size.y, ")");
}

void Worker::fail(const std::string& what, Site site) const {
  std::fflush(stdout);
  std::fprintf(stderr, "host executor: kernel %s at %s:%d, block (%u,%u,%u): %s, at %s:%d\n", grid_->shape.verb,
               grid_->shape.file, grid_->shape.line, current_block.x, current_block.y, current_block.z, what.c_str(),
               site.file, site.line);
  std::abort();
}

void Worker::fail_deadlock() const {
  constexpr int kMostNamed = 20;
  std::string waiting;
  Site site{};
  int named = 0;
  for (unsigned thread = 0; thread < count_; ++thread) {
    const Warp& warp = warps_[thread / kWarp];
    const unsigned lane = 1u << thread % kWarp;
    const bool at_barrier = arrived_ > 0 && !(warp.returned & lane);
    if (!at_barrier && !(warp.waiting & lane)) continue;
    site = threads_[thread].site;
    if (++named <= kMostNamed) waiting += text(" ", name(thread), " at ", site, ",");
  }
  fail("deadlock: these threads wait for others that never come:" + waiting + (named > kMostNamed ? " and more" : ""),
       site);
}

}  // namespace diopter::host_executor
