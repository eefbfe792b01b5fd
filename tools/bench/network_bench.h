// Times of whole networks: training steps, inference, post-processing, data loading.
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "kernels/device/memory.h"
#include "retinanet/config/config.h"

namespace diopter {

/// A case: what is timed, on which data and how often.
struct NetworkBench {
  Config config;
  Dataset data;    // inference: its first pictures, again and again
  int batch = 2;   // pictures a repetition
  int side = 512;  // of the padded input, for post-processing
  int warm_up = 2, repetitions = 10;
  Device device = Device::cpu;
  std::string folder;  // for what a training run writes
  std::string save;    // post-processing: file for head outputs and detections; empty: none
};

struct NetworkTimes {
  std::vector<double> milliseconds;  // of each repetition; loading: their mean
  double peak_memory_mib = 0;        // on the CPU largest resident size of the process, on a GPU of what was allocated
  std::vector<double> values;        // step: both losses of the first step; inference and post-processing: number of
                                     // detections and sum of their scores; loading: boxes
};

/// Training steps as `diopter train` does them: batch, forward, matching, losses, backward, SGD.
NetworkTimes bench_step(const NetworkBench& bench);
/// From decoded pictures in memory to detections in pixels of those pictures. With train.workers > 0 the next batch is
/// prepared beside the network, as loaders do it.
NetworkTimes bench_inference(const NetworkBench& bench);
/// From head outputs to detections: threshold, top-k, decoding, NMS. Random logits around -5, some 0.5% of them with a
/// score of 0.05 or more.
NetworkTimes bench_postprocess(const NetworkBench& bench);
/// Batches from picture files, as `diopter train` reads and augments them.
NetworkTimes bench_loading(const NetworkBench& bench);

}  // namespace diopter
