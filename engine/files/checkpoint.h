// Checkpoints in the safetensors format: a JSON header, then the tensors' bytes.
// Weights are stored as [out, in, kh, kw] under torchvision's names; in memory they are [out, kh, kw, in].
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "engine/module.h"

namespace diopter {

/// Prefixes of what a training checkpoint holds beside the model, whose names have none.
inline constexpr const char* kOptimizerPrefix = "optimizer.";  // Optimizer::state: "optimizer.velocity.NAME", ...
inline constexpr const char* kAveragePrefix = "average.";

/// End of the names under which PyTorch's batch norms count their batches. Nothing here needs the numbers: they are
/// read, never missed, and written back for PyTorch.
inline constexpr const char* kBatchCount = ".num_batches_tracked";

struct Checkpoint {
  std::string file;                       // where it came from, for messages
  std::map<std::string, Tensor> tensors;  // as stored: rank-4 weights are [out, in, kh, kw]
  std::map<std::string, std::string> metadata;
};

/// Reads a whole file. Throws Error "FILE: reason", with the offset where it is truncated or inconsistent, for anything
/// that is not a safetensors file of F32, BF16, I32 or U8 tensors (F16, F64 and I64 are converted to F32 and I32).
Checkpoint load_checkpoint(const std::string& file);

/// The same of such a file's bytes; Errors call them `file`.
Checkpoint parse_checkpoint(std::string_view bytes, const std::string& file);

/// Writes to a temporary file and renames it.
void save_checkpoint(const std::string& file, const Checkpoint& checkpoint);

/// Adds copies of the tensors under `prefix` + name, permuted to the stored layout.
void put_tensors(Checkpoint& checkpoint, const std::string& prefix, const std::vector<NamedBuffer>& tensors);

/// Copies the stored tensors into `tensors` (the same memory, permuted back). Throws Error naming the first one that is
/// missing, the first one that has another shape or type, and the first of those with the prefix that is not wanted
/// (with the prefix "": of those without any of the prefixes above). Nothing is copied in that case.
void get_tensors(const Checkpoint& checkpoint, const std::string& prefix, const std::vector<NamedBuffer>& tensors);

/// Parameters and buffers of a module, as put_tensors and get_tensors take them.
std::vector<NamedBuffer> model_state(const Module& model);

}  // namespace diopter
