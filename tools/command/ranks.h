// A subcommand on the processes that a launcher of MPI has started.
#pragma once

#include <functional>
#include <string>

#include "engine/distributed/communicator.h"

namespace diopter {

/// Calls `command`, which returns an exit code: alone, or on each rank where mpirun or srun started several. Then rank
/// 0 alone prints; what all ranks throw (SharedError, NotFinite) it tells in a line, and all return 2. A rank that
/// fails alone says so and ends all with 2.
int run_on_ranks(const std::function<int(Communicator& ranks)>& command);

/// Whether a launcher has started several processes of a command that does not divide its work among them, and which
/// they would all do. Then rank 0 has said so in a line.
bool refused_on_ranks(int argc, const char* const* argv);

/// The GPU that this process uses, by its machine and by what CUDA_VISIBLE_DEVICES has first.
std::string gpu_name();

}  // namespace diopter
