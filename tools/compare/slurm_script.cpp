#include "tools/compare/slurm_script.h"

namespace diopter {

std::string slurm_script(const SlurmScript& script) {
  std::string text = "#!/bin/sh\n";
  const auto option = [&](const std::string& line) { text += "#SBATCH --" + line + "\n"; };
  option("job-name=" + script.job_name);
  option("array=1-" + std::to_string(script.tasks));
  option("ntasks=1");
  option("cpus-per-task=" + std::to_string(script.processors));
  if (script.gpu) option("gres=gpu:1");
  option("signal=B:TERM@60");
  text += "# Add what your cluster asks for: --partition, --account, --time, --mem.\n";
  return text + "exec " + script.command + "\n";
}

}  // namespace diopter
