// Facts about the program, the machine and the call, for `diopter info` and for reports.
#pragma once

#include <optional>
#include <string>

#include "data/dataset.h"
#include "kernels/device/memory.h"
#include "retinanet/training/provenance.h"

namespace diopter {

/// Version, compiler, libraries, and for which GPUs this was built.
Facts version_facts();

/// Processor, cores, memory and, where one is given, the device that computes.
Facts machine_facts(std::optional<Device> device);

/// NVIDIA's driver and the GPU, or why there is none. Never throws.
Facts gpu_facts();

/// "205 pictures, 3090 objects of 3 classes".
std::string describe(const Dataset& dataset);

/// This call of the program, now.
Start this_start(Device device, const Facts& data);

}  // namespace diopter
