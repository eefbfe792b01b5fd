// Tensors of files that PyTorch and NumPy users exchange, read without running any of the code that they may ask for:
//   .pth, .pt  torch.save: a zip archive with one pickle and one member a storage, or the older stream of pickles
//   .pkl       a pickle of dictionaries with NumPy arrays (Detectron2's and Caffe2's model zoos)
#pragma once

#include <string>

#include "engine/files/checkpoint.h"

namespace diopter {

/// Whether a file begins as one of these does.
bool is_torch_file(const std::string& file);

/// The tensors of a file's dictionary under their names; where it holds a dictionary "model", "state_dict" or "blobs",
/// of that one. Types as from_stored makes them. Other entries are passed over, but texts beside the tensors or around
/// them are kept as metadata ("__author__"). Throws Error that names file and place for anything that is truncated,
/// inconsistent or asks for more than tensors, and for tensors that together need more than eight times the file's
/// size.
Checkpoint load_torch_file(const std::string& file);

}  // namespace diopter
