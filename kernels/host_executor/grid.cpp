// Execution of a grid, block by block, and the functions that kernels call, which lead to the worker that runs them.
#include <atomic>
#include <mutex>
#include <numeric>

#include "kernels/base/parallel.h"
#include "kernels/host_executor/options.h"
#include "kernels/host_executor/worker.h"

namespace diopter::host_executor {

namespace {

/// Workers, with their stacks, are kept for the next launch. Never destroyed: streams may work until the process ends.
class WorkerPool {
 public:
  Worker* take() {
    std::lock_guard lock(mutex_);
    if (idle_.empty()) return new Worker;
    Worker* worker = idle_.back();
    idle_.pop_back();
    return worker;
  }
  void give_back(Worker* worker) {
    std::lock_guard lock(mutex_);
    idle_.push_back(worker);
  }

 private:
  std::mutex mutex_;
  std::vector<Worker*> idle_;
};

WorkerPool& pool() {
  static auto* workers = new WorkerPool;
  return *workers;
}

/// Which block comes i-th.
std::uint64_t block_at(std::uint64_t i, std::uint64_t blocks) {
  switch (options().order) {
    case Order::reverse: return blocks - 1 - i;
    case Order::shuffle: {
      std::uint64_t stride = blocks * 5 / 8 + options().seed % 64 + 1;
      while (std::gcd(stride, blocks) != 1) ++stride;
      return i * (stride % blocks) % blocks;
    }
    default: return i;
  }
}

}  // namespace

void run_grid(const Grid& grid) {
  const auto blocks = static_cast<std::int64_t>(grid.blocks());
  const GridOrder order;
  order.begin.release();
  const auto run = [&](std::int64_t begin, std::int64_t end) {
    race_detector::As as(race_detector::executor());
    Worker* worker = pool().take();
    for (std::int64_t i = begin; i < end; ++i) {
      worker->run_block(grid, order, block_at(static_cast<std::uint64_t>(i), static_cast<std::uint64_t>(blocks)));
    }
    pool().give_back(worker);
  };
#ifdef DIOPTER_EXECUTOR_CHECK
  run(0, blocks);
#else
  // At most 16 blocks at a time, since each needs its stacks; small grids are not worth the threads.
  constexpr std::int64_t kChunks = 16, kSmall = 16384;
  parallel_for(blocks, blocks * grid.threads() < kSmall ? blocks : (blocks + kChunks - 1) / kChunks, run);
#endif
  order.end.acquire();
}

int barrier(BarrierKind kind, bool predicate, Site site) { return Worker::current()->barrier(kind, predicate, site); }

std::uint64_t warp_operation(const WarpRequest& request) { return Worker::current()->warp_operation(request); }

unsigned active_lanes() { return Worker::current()->active_lanes(); }

void* dynamic_shared() { return Worker::current()->dynamic_shared(); }

void fence() {
  std::atomic_thread_fence(std::memory_order_seq_cst);
  static const race_detector::Clock order;  // of all fences of all threads
  order.release();
  order.acquire();
}

void trap(Site site) { Worker::current()->fail("__trap", site); }

void require_alignment(const void* p, std::size_t bytes, Site site) {
  if (reinterpret_cast<std::uintptr_t>(p) % bytes == 0) return;
  Worker::current()->fail(text("misaligned address: ", bytes, " bytes at ", p), site);
}

}  // namespace diopter::host_executor
