// Batch script for Slurm, whose tasks share a study.
#pragma once

#include <string>

namespace diopter {

struct SlurmScript {
  int tasks;
  int processors;  // of each task
  bool gpu;        // one for each task
  std::string job_name;
  std::string command;  // of a task, as a shell takes it
};

/// A job array for sbatch. Tasks get SIGTERM a minute before their time is up, so that their runs save.
std::string slurm_script(const SlurmScript& script);

}  // namespace diopter
