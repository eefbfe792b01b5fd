#include "tools/bench/network_bench.h"

#include <algorithm>
#include <chrono>
#include <functional>
#include <future>

#include "engine/files/checkpoint.h"
#include "kernels/base/parallel.h"
#include "kernels/base/process.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/network/detect.h"
#include "retinanet/network/input.h"
#include "retinanet/training/trainer.h"
#include "retinanet/weights/start.h"
#include "tools/kernels/scene.h"

namespace diopter {

namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double peak_memory_mib(Device device) {
  if (device == Device::cuda) {
    return static_cast<double>(DIOPTER_DISPATCH(device, peak_bytes)) / (1 << 20);
  }
  return peak_resident_mib();
}

/// Repetitions of a body that ends with its results on the host.
void repeat(const NetworkBench& bench, NetworkTimes& times, const std::function<void()>& body) {
  for (int i = 0; i < bench.warm_up; ++i) body();
  for (int i = 0; i < bench.repetitions; ++i) {
    const auto start = Clock::now();
    body();
    times.milliseconds.push_back(milliseconds_since(start));
  }
  times.peak_memory_mib = peak_memory_mib(bench.device);
}

/// Number and sum of scores.
std::vector<double> summary(const std::vector<std::vector<DetectedBox>>& detections) {
  double number = 0, scores = 0;
  for (const auto& of_picture : detections) {
    for (const DetectedBox& d : of_picture) {
      ++number;
      scores += static_cast<double>(d.score);
    }
  }
  return {number, scores};
}

void save_detections(Checkpoint& file, const std::vector<std::vector<DetectedBox>>& detections) {
  std::vector<float> boxes, scores;
  std::vector<std::int32_t> labels, counts;
  for (const auto& of_picture : detections) {
    for (const DetectedBox& d : of_picture) {
      boxes.insert(boxes.end(), {d.box.x1, d.box.y1, d.box.x2, d.box.y2});
      scores.push_back(d.score);
      labels.push_back(d.label);
    }
    counts.push_back(static_cast<std::int32_t>(of_picture.size()));
  }
  const auto number = static_cast<std::int64_t>(scores.size());
  file.tensors["boxes"] = Tensor::from({number, 4}, boxes);
  file.tensors["scores"] = Tensor::from({number}, scores);
  file.tensors["labels"] = Tensor::from({number}, labels);
  file.tensors["counts"] = Tensor::from({static_cast<std::int64_t>(counts.size())}, counts);
}

}  // namespace

NetworkTimes bench_step(const NetworkBench& bench) {
  struct Enough {};  // thrown to leave the trainer without the checkpoint that a run ends with
  NetworkTimes times;
  Trainer trainer(bench.config, bench.data, {}, bench.folder, bench.device);
  TrainerCallbacks callbacks;
  Clock::time_point last;
  callbacks.step = [&](const StepReport& step) {
    if (step.iteration == 1) times.values = {step.classification_loss, step.box_loss};
    if (step.iteration > bench.warm_up) times.milliseconds.push_back(milliseconds_since(last));
    if (step.iteration == bench.warm_up + bench.repetitions) throw Enough();
    last = Clock::now();
  };
  last = Clock::now();
  try {
    trainer.run(callbacks);
  } catch (const Enough&) {
    times.peak_memory_mib = peak_memory_mib(bench.device);
  }
  return times;
}

NetworkTimes bench_inference(const NetworkBench& bench) {
  RetinaNet model(bench.config, static_cast<int>(bench.data.categories.size()));
  start(model);
  model.move_to(bench.device);
  model.set_precision(bench.config.detect.precision);
  model.set_training(false);
  std::vector<Image> pictures;
  for (const ImageRecord& record : bench.data.images) pictures.push_back(read_image(record.file));

  const LoaderOptions options = loader_options(bench.config, bench.device);
  const auto first_batch = [&] {
    std::vector<Sample> samples(static_cast<std::size_t>(bench.batch));
    parallel_for(bench.batch, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t i = begin; i < end; ++i) {
        const std::size_t index = static_cast<std::size_t>(i) % pictures.size();
        samples[i] = prepare(pictures[index], bench.data.images[index], options.resize, options.normalisation,
                             options.pixels_by);
      }
    });
    Batch batch = collate(samples, options.divisor);
    batch.normalisation = options.normalisation;
    return batch;
  };
  NetworkTimes times;
  Detector detector(model);
  std::future<Batch> ahead;
  repeat(bench, times, [&] {
    const Batch batch = ahead.valid() ? ahead.get() : first_batch();
    if (options.workers > 0) ahead = std::async(std::launch::async, first_batch);
    times.values = summary(detector(batch));
  });
  return times;
}

NetworkTimes bench_postprocess(const NetworkBench& bench) {
  const int classes = static_cast<int>(bench.data.categories.size()), side = bench.side;
  const RetinaNet model(bench.config, classes);
  const Levels levels = pyramid_levels(bench.config.model, bench.batch, side, side);
  const AnchorGrid grid = anchors_for_levels(bench.config, levels, side, side);
  const HeadOutput<float> logits(levels, grid.cells, classes, -5, 0.8f, bench.device);
  const HeadOutput<float> deltas(levels, grid.cells, 4, 0, 0.2f, bench.device);
  const RetinaNet::Output output{{Variable(logits.values), levels}, {Variable(deltas.values), levels}, grid};
  Batch batch;
  batch.images = bench.batch;
  batch.sizes.assign(std::size_t{2} * static_cast<std::size_t>(bench.batch), static_cast<float>(side));
  batch.original_sizes = batch.sizes;

  NetworkTimes times;
  std::vector<std::vector<DetectedBox>> found;
  repeat(bench, times, [&] { found = detections_of(model, output, batch); });
  times.values = summary(found);
  if (!bench.save.empty()) {
    Checkpoint file;
    const Tensor anchors = Tensor::empty({grid.size(), 4}, DType::f32, bench.device);
    DIOPTER_DISPATCH(bench.device, generate_anchors, grid, anchors.data<float>());
    file.tensors = {{"logits", logits.values}, {"deltas", deltas.values}, {"anchors", anchors}};
    for (const auto& [name, tensor] : file.tensors) tensor.move_to(Device::cpu);
    save_detections(file, found);
    save_checkpoint(bench.save, file);
  }
  return times;
}

NetworkTimes bench_loading(const NetworkBench& bench) {
  const LoaderOptions options = loader_options(bench.config);
  Loader loader(bench.data, options);
  double boxes = 0;
  const auto load = [&](int batches) {
    const auto start = Clock::now();
    for (int i = 0; i < batches; ++i) boxes += static_cast<double>(loader.next().labels.size());
    return milliseconds_since(start);
  };
  load(std::max(bench.warm_up, options.workers + 1));  // more than what the workers hold ready
  NetworkTimes times;
  // Workers finish batches in bunches: single ones say nothing.
  times.milliseconds = {load(bench.repetitions) / bench.repetitions};
  times.peak_memory_mib = peak_memory_mib(bench.device);
  times.values = {boxes};
  return times;
}

}  // namespace diopter
