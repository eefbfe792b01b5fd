// A subcommand on the processes that a launcher of MPI has started.
#pragma once

#include <functional>

#include "engine/distributed/communicator.h"

namespace diopter {

/// Calls `command`, which returns an exit code: alone, or on each rank where mpirun or srun started several. Then rank
/// 0 alone prints; what all ranks throw (SharedError, NotFinite) it tells in a line, and all return 2. A rank that
/// fails alone says so and ends all with 2.
int run_on_ranks(const std::function<int(Communicator& ranks)>& command);

}  // namespace diopter
