// The learning-rate range test of `diopter train --find-lr`.
#pragma once

#include <string>

#include "data/dataset.h"
#include "kernels/device/memory.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Runs the test, writes FOLDER/lr_range.csv and lr_range.svg and prints a proposal. Nothing else in the folder is
/// touched. Throws Error when it cannot be written.
void write_lr_range(const Config& config, const Dataset& training, const std::string& folder, Device device);

}  // namespace diopter
