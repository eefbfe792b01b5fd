// Wall time of a run, foreseen: how many iterations fit into train.minutes.
#pragma once

#include <cstdint>

#include "data/dataset.h"
#include "kernels/device/memory.h"
#include "retinanet/config/config.h"

namespace diopter {

/// What a run spends its time on.
struct RunTimes {
  double step = 0, evaluation = 0;  // seconds of one; evaluation is 0 where there is none
  std::int64_t every = 0;           // steps between evaluations; 0: only at the end
};

/// Evaluations of a run of so many iterations: every `every` of them, and at the end.
std::int64_t evaluations_of(const RunTimes& times, std::int64_t iterations);

/// The most iterations that take, with their evaluations, no more than so many seconds; 0 where not even one does.
std::int64_t iterations_within(const RunTimes& times, double seconds);

/// Rehearses training for so many seconds (Trainer::rehearse), and detection in a sample of the validation pictures.
/// The first steps, in which memory is taken, do not count; decoding does, also of pictures that train.cache_mib would
/// keep later on. Errors as of training.
RunTimes measure_times(const Config& config, const Dataset& train, const Dataset& validation, Device device,
                       double seconds);

}  // namespace diopter
