// A look at a data set and a configuration before hours are spent on training.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "retinanet/config/config.h"
#include "retinanet/doctor/anchor_advice.h"
#include "retinanet/doctor/anchor_coverage.h"
#include "retinanet/doctor/dry_run.h"
#include "retinanet/doctor/lint.h"
#include "retinanet/doctor/prior.h"
#include "retinanet/doctor/size_choices.h"

namespace diopter {

struct DoctorReport {
  PictureCheck pictures;
  DatasetReport data;
  Coverage coverage;
  std::vector<double> repeats;  // with train.repeat_threshold: how often an object of each class comes in an epoch
  AnchorMatches matches;
  double imbalance = 0;  // negative logits per positive one; 0 without positives
  std::vector<BalancedPrior> balanced_priors;
  std::vector<AnchorAdvice> advice;
  std::vector<SizeChoice> sizes;  // where the network is rehearsed
  InitialLoss loss;
  StepMemory memory;
  std::vector<Finding> findings;      // of the reader
  std::vector<std::string> warnings;  // one line each, by weight (docs/doctor.md)
};

/// "1920 x 1080 shrunk to 160 x 90: median object 4.7 px": the size at which objects reach the network, medians of all.
std::string describe_input(const DatasetReport& data);

struct DoctorOptions {
  bool open_pictures = true;       // false: the annotations' sizes are believed
  Look look = Look::whole;         // at pictures that are opened
  bool rehearse = true;            // look for better anchors, run the network; false leaves out what takes seconds
  std::int64_t system_memory = 0;  // bytes; 0: unknown
  std::function<void(std::int64_t done, std::int64_t total)> progress;  // of decoding; may be empty
};

/// Examines a set for training with `config`. Throws Error when there is nothing to train on: no classes, no picture
/// that can be used, no object.
DoctorReport examine(Dataset dataset, const Config& config, const DoctorOptions& options);

}  // namespace diopter
