// Runs CUDA blocks, one at a time: a fibre a CUDA thread, but only where threads wait for one another. Threads run one
// after the other in a plain loop on one fibre; a thread that has to wait stays behind on it, and the loop goes on on
// another. A kernel without barriers never switches.
#pragma once

#include <cstdint>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include "kernels/host_executor/fibre.h"
#include "kernels/host_executor/language.h"
#include "kernels/host_executor/limits.h"
#include "kernels/host_executor/race_detector.h"

namespace diopter::host_executor {

inline std::ostream& operator<<(std::ostream& out, Site site) { return out << site.file << ':' << site.line; }
inline bool same(Site a, Site b) { return a.line == b.line && std::strcmp(a.file, b.file) == 0; }

/// The parts written one after another.
template <class... Parts>
std::string text(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

/// One launch.
struct Grid {
  LaunchShape shape;
  void (*run)(const void* arguments);
  std::shared_ptr<const void> arguments;

  std::uint64_t blocks() const { return std::uint64_t{shape.grid.x} * shape.grid.y * shape.grid.z; }
  unsigned threads() const { return shape.block.x * shape.block.y * shape.block.z; }
};

/// All threads of a grid run after what released `begin` and before what acquires `end`.
struct GridOrder {
  race_detector::Clock begin, end;
};

class Worker {
 public:
  Worker() = default;
  ~Worker();
  Worker(const Worker&) = delete;

  /// The one whose block the calling host thread runs now; null outside of kernels.
  static Worker*& current();

  void run_block(const Grid& grid, const GridOrder& order, std::uint64_t block);

  // What kernels call; the caller is the CUDA thread that runs now.
  int barrier(BarrierKind kind, bool predicate, Site site);
  std::uint64_t warp_operation(const WarpRequest& request);
  unsigned active_lanes() const;
  void* dynamic_shared() const { return dynamic_shared_; }
  /// Address of this block's copy of a __shared__ variable; `key` identifies the variable.
  void* shared_variable(const void* key, std::size_t bytes, std::size_t alignment);
  /// Prints what is wrong, with launch, block and thread, and aborts.
  [[noreturn]] void fail(const std::string& what, Site site) const;

 private:
  struct Thread {  // valid while it waits
    Fibre* fibre;
    Site site;
    BarrierKind barrier;
    WarpRequest request;
    std::uint64_t result;
  };
  struct Warp {
    unsigned returned, waiting;  // one bit per lane
    unsigned turn;               // number of __syncwarps that it has passed
  };
  struct SharedVariable {
    const void* key;
    void* memory;
  };

  void arrange_threads(std::uint64_t block);
  void* fresh_shared(const void* key, std::size_t bytes, std::size_t alignment);
  void free_shared();
  [[noreturn]] static void fibre_main();
  [[noreturn]] void run_threads();
  void run_as(unsigned thread);
  void switch_to(Fibre* fibre);
  void wait(unsigned thread);
  Fibre* next_fibre();
  void wake(unsigned thread) { ready_[ready_end_++ % kMaxThreads] = thread; }
  void thread_returned(unsigned thread);

  unsigned lanes_of(unsigned warp) const;
  bool complete(unsigned warp, unsigned mask) const;
  void finish_operation(unsigned warp, unsigned mask, unsigned running_lane);
  void compute_results(Thread* lanes, unsigned taking_part) const;
  std::uint64_t shuffled(const Thread* lanes, unsigned lane, unsigned taking_part) const;

  std::string name(unsigned thread) const;
  [[noreturn]] void fail_deadlock() const;

  const Grid* grid_ = nullptr;
  const GridOrder* grid_order_ = nullptr;
  unsigned count_ = 0;  // threads of the block
  unsigned started_ = 0, unfinished_ = 0;
  unsigned order_[kMaxThreads];
  unsigned arranged_ = 0;  // for how many threads order_ is valid
  unsigned thread_ = 0;    // the one that runs
  Thread threads_[kMaxThreads];
  Warp warps_[kMaxThreads / kWarp];
  unsigned ready_[kMaxThreads], ready_begin_ = 0, ready_end_ = 0;  // threads whose wait is over

  unsigned arrived_ = 0, first_arrived_ = 0, barriers_ = 0, votes_ = 0;

  Fibre own_stack_;  // of the host thread
  Fibre* running_ = &own_stack_;
  std::vector<Fibre*> fibres_, idle_;

  void* dynamic_shared_ = nullptr;
  std::vector<SharedVariable> shared_;
  std::size_t shared_bytes_ = 0;
  race_detector::BlockActors actors_;
};

/// Runs all blocks of the grid.
void run_grid(const Grid& grid);

}  // namespace diopter::host_executor
