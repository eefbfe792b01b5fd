// Choice of the device by its name.
#pragma once

#include <string>

#include "kernels/device/memory.h"

namespace diopter {

/// "cpu"; "cuda": throws Error when the build has none or it cannot be used; "auto": a GPU where there is one that can
/// be used, else the CPU (never the host executor, which is for testing). Throws Error for another name.
Device device_from_name(const std::string& name);

}  // namespace diopter
