// Ranks that a launcher of MPI has started: mpirun, or srun.
#pragma once

#include <memory>
#include <string>

#include "engine/distributed/communicator.h"

namespace diopter {

/// Processes that the launcher has started, of which this is one; 1 where there was no launcher.
int launched_processes();

/// This process's number among them, by the launcher.
int launched_rank();

/// What MPI says of itself, e.g. "Open MPI v4.1.4", or why there is none. Does not start it.
std::string mpi_version();

/// Ranks over MPI. MPI is loaded here, as libdiopter_mpi.so beside the program, and by nothing else.
class LaunchedRanks : public Communicator {
 public:
  /// Ends all ranks at once, as when one of them cannot go on; `code` is the exit code.
  virtual void abort(int code) = 0;
};

/// Starts MPI; null where there was no launcher, or for a single process. The object waits for the other ranks when it
/// ends. Throws Error when this build has no MPI.
std::unique_ptr<LaunchedRanks> join_ranks();

}  // namespace diopter
