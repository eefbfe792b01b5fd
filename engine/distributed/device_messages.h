// Messages between the memories of ranks' GPUs.
#pragma once

#include <memory>
#include <string>

#include "engine/distributed/communicator.h"
#include "kernels/device/device_link.h"

namespace diopter {

/// Messages by NCCL, which the ranks set up together, each with its library; null where one has none. Throws Error.
std::unique_ptr<Messages> connect_devices(Communicator& ranks, const NcclLibrary* library);

/// NCCL as it is on this machine: libnccl.so.2, or the file that the environment variable DIOPTER_NCCL names; "off" is
/// none. Loaded at the first call.
struct NcclOfMachine {
  const NcclLibrary* library = nullptr;  // null: there is none
  std::string text;                      // its version and file, or why there is none
};
const NcclOfMachine& nccl_of_machine();

}  // namespace diopter
