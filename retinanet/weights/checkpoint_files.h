// Checkpoints of a run folder.
#pragma once

#include <string>

#include "kernels/base/check.h"
#include "kernels/base/files.h"

namespace diopter {

inline std::string last_checkpoint(const std::string& folder) { return folder + "/checkpoints/last.safetensors"; }
inline std::string best_checkpoint(const std::string& folder) { return folder + "/checkpoints/best.safetensors"; }

/// The file that a name of weights means: itself; of a run folder the best weights, or the last where it has no best.
/// Throws Error for a folder that has neither.
inline std::string weights_file(const std::string& name) {
  if (!folder_exists(name)) return name;
  if (file_exists(best_checkpoint(name))) return best_checkpoint(name);
  DIOPTER_CHECK(file_exists(last_checkpoint(name)), name,
                ": a folder without checkpoints/best.safetensors, so not of a "
                "run of diopter train");
  return last_checkpoint(name);
}

}  // namespace diopter
