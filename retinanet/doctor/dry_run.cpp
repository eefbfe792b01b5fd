#include "retinanet/doctor/dry_run.h"

#include <algorithm>
#include <cmath>
#include <future>
#include <memory>
#include <numeric>
#include <optional>

#include "data/spread_sample.h"
#include "engine/shapes_only.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/detection/any_loss.h"
#include "kernels/device/memory.h"
#include "retinanet/detection/targets.h"
#include "retinanet/doctor/anchor_coverage.h"
#include "retinanet/network/detect.h"
#include "retinanet/network/input.h"
#include "retinanet/network/make_optimizer.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/weights/start.h"

namespace diopter {

namespace {

constexpr std::int64_t kLossPictures = 8;
constexpr std::int64_t kLossPixels = 2'000'000;  // what a large network on two cores does in some ten seconds
constexpr int kMeasuredSide = 256;               // of the pictures of a measured step, at most

InputSize largest_input(const Config& config, const Dataset& dataset) {
  InputSize largest{};
  const TileRule tiles = tile_rule(config);
  Config of_whole = config;
  of_whole.input.tile = 0;
  for (const ImageRecord& record : dataset.images) {
    for (const Window& view : views_of(tiles, record.width, record.height)) {
      const InputSize size = input_size(is_tile(tiles, view) ? config : of_whole, view.width, view.height);
      largest.padded_width = std::max(largest.padded_width, size.padded_width);
      largest.padded_height = std::max(largest.padded_height, size.padded_height);
    }
  }
  return largest;
}

/// A batch of the mean colour, with the boxes of the set's pictures.
Batch blank_batch(const Config& config, const Dataset& pictures) {
  std::vector<Sample> samples;
  for (const ImageRecord& record : pictures.images) {
    const InputSize size = input_size(config, record.width, record.height);
    Sample sample;
    sample.width = size.width;
    sample.height = size.height;
    sample.pixels.resize(std::size_t{3} * size.width * size.height);
    sample.targets = input_targets(record, size);
    samples.push_back(std::move(sample));
  }
  return collate(samples, config.input.size_divisor);
}

Batch decoded_batch(const Config& config, const Dataset& pictures) {
  LoaderOptions options = loader_options(config);
  options.batch_size = static_cast<int>(pictures.images.size());
  options.workers = 0;
  EvaluationLoader loader(pictures, options);
  Batch batch;
  loader.next(batch);
  return batch;
}

struct Step {
  Losses losses;
  ClassificationTargets classification;
};

Step forward(const RetinaNet& model, const Batch& batch) {
  const Config& config = model.config();
  const RetinaNet::Output output = model(input_of(batch));
  Step step;
  const AnchorTargets targets = make_targets(config, output.grid, batch);
  const Tensor scale = Normaliser(config.loss).scale(targets);
  const LossState state(config.loss, model.classes());
  step.losses = detection_losses(config, model.classes(), output.logits, output.deltas, targets, scale, state);
  step.classification =
      classification_targets(config, model.classes(), output.logits, output.deltas, targets, scale, state);
  return step;
}

/// Blank pictures without boxes.
Batch empty_batch(int images, int width, int height) {
  Batch batch;
  batch.images = images;
  batch.width = width;
  batch.height = height;
  batch.pixels.resize(std::size_t{3} * images * width * height);
  batch.offsets.assign(static_cast<std::size_t>(images) + 1, 0);
  return batch;
}

/// One thread while it lives. Which of several take part, and so get work space of their own, is chance.
class OneThread {
 public:
  OneThread() { set_thread_count(1); }
  ~OneThread() { set_thread_count(usual_); }
  OneThread(const OneThread&) = delete;
  int usual() const { return usual_; }

 private:
  int usual_ = thread_count();
};

/// Bytes of tensors in a step.
struct Measured {
  std::int64_t parameters;                   // how many
  std::int64_t state;                        // weights, gradients, what the optimizer keeps, averages
  std::int64_t work_space;                   // of one thread, kept from step to step
  std::int64_t two_pictures, four_pictures;  // everything else at its peak
};

/// To be called from a fresh thread, which has no work space yet.
Measured measure_steps(const Config& config, int classes, int width, int height) {
  const auto allocated = [] { return static_cast<std::int64_t>(cpu::allocated_bytes()); };
  const std::int64_t before = allocated();
  RetinaNet model(config, classes, ShapesOnly::current() ? InitialWeights::unset : InitialWeights::random);
  model.set_precision(config.train.precision);
  const std::unique_ptr<Optimizer> optimizer = make_optimizer(config.train, model);
  std::unique_ptr<WeightAverage> average;
  const float decay = static_cast<float>(config.train.average);
  if (decay > 0) average = std::make_unique<WeightAverage>(model, decay);

  Measured measured{};
  for (const NamedParameter& p : model.parameters()) measured.parameters += p.variable.value().size();
  measured.state = allocated() - before;
  const auto peak = [&](int images) {
    const std::int64_t resting = allocated();
    cpu::reset_peak_bytes();
    optimizer->zero_gradients();
    Tape tape;
    const Step step = forward(model, empty_batch(images, width, height));
    tape.backward({step.losses.classification, step.losses.box});
    return static_cast<std::int64_t>(cpu::peak_bytes()) - resting;
  };
  peak(4);  // the work space grows to its size
  measured.work_space = allocated() - before - measured.state;
  measured.two_pictures = peak(2);
  measured.four_pictures = peak(4);
  return measured;
}

/// Of a loss that weighs by density, in the first step: every bin has one share.
double expected_density_loss(const Config::Loss& loss, const GradientDensityRule& rule, const std::vector<double>& bias,
                             const std::vector<float>& class_weight, const std::vector<std::int32_t>& labels) {
  struct Bin {
    double count = 0, loss = 0;
  };
  std::vector<Bin> bins(rule.bins);
  const auto add = [&](int k, bool positive, std::int64_t count, double weight) {
    const ValueAndDerivative<double> at = loss_at(loss.kind, bias[k], positive);
    Bin& bin = bins[density_bin(at.derivative, rule.bins)];
    bin.count += static_cast<double>(count);
    bin.loss += static_cast<double>(count) * weight * at.value;
  };
  const std::int64_t learned = std::ssize(labels) - std::count(labels.begin(), labels.end(), kIgnore);
  for (int k = 0; k < static_cast<int>(bias.size()); ++k) {
    const std::int64_t positives = std::count(labels.begin(), labels.end(), k);
    add(k, true, positives, static_cast<double>(class_weight[k]));
    add(k, false, learned - positives, 1);
  }
  double sum = 0, found = 0;
  for (const Bin& bin : bins) {
    if (bin.count == 0) continue;
    ++found;
    sum += bin.loss / ((1 - static_cast<double>(rule.momentum)) * bin.count);
  }
  return found > 0 ? sum / found : 0;
}

}  // namespace

double expected_classification_loss(const Config& config, int classes, const AnchorTargets& targets,
                                    const Tensor& scale, const Tensor& qualities) {
  std::vector<double> bias, negative;  // per class
  for (const float b : prior_biases(config.model.prior, classes)) {
    bias.push_back(static_cast<double>(b));
    negative.push_back(loss_at(config.loss.kind, bias.back(), false).value);
  }
  std::vector<float> class_weight = class_weights(config.loss.class_weights, classes);
  class_weight.resize(classes, 1);
  bias.resize(classes, bias[0]);
  negative.resize(classes, negative[0]);
  if (const std::optional<GradientDensityRule> rule = gradient_density_rule(config.loss.kind)) {
    return expected_density_loss(config.loss, *rule, bias, class_weight, targets.labels.to_vector<std::int32_t>()) *
           config.loss.classification_weight;
  }
  const std::vector<float> quality = qualities.defined() ? qualities.to_vector<float>() : std::vector<float>();
  const double all_negative = std::accumulate(negative.begin(), negative.end(), 0.0);
  const auto labels = targets.labels.to_vector<std::int32_t>();
  const std::vector<float> weight = scale.to_vector<float>();
  const std::int64_t anchors = targets.grid.size();
  double loss = 0;
  for (int n = 0; n < targets.images(); ++n) {
    double sum = 0;
    for (std::int64_t i = n * anchors; i < (n + 1) * anchors; ++i) {
      if (labels[i] == kIgnore) continue;
      sum += all_negative;
      if (labels[i] < 0) continue;
      const double target = quality.empty() ? 1 : static_cast<double>(quality[i]);
      sum += static_cast<double>(class_weight[labels[i]]) *
                 positive_loss_at(config.loss.kind, bias[labels[i]], target).value -
             negative[labels[i]];
    }
    loss += static_cast<double>(weight[n]) * sum;
  }
  return loss * config.loss.classification_weight;
}

InitialLoss initial_loss(Config config, const Dataset& dataset, bool open) {
  // Guided, it would say what the box loss is.
  if (config.loss.classification_weight == kGuidedWeight) config.loss.classification_weight = 1;
  const InputSize size = largest_input(config, dataset);
  const std::int64_t pixels = std::int64_t{size.padded_width} * size.padded_height;
  const Dataset pictures = spread_sample(dataset, std::clamp<std::int64_t>(kLossPixels / pixels, 1, kLossPictures));
  const Batch batch = open ? decoded_batch(config, pictures)
                           : blank_batch(config, spread_sample(with_tiles_as_pictures(pictures, tile_rule(config)),
                                                               std::ssize(pictures.images)));

  const int classes = static_cast<int>(dataset.categories.size());
  RetinaNet model(config, classes);
  start(model);
  const Step step = forward(model, batch);
  return {expected_classification_loss(config, classes, step.classification.anchors, step.classification.scale,
                                       step.losses.qualities),
          static_cast<double>(step.losses.classification.value().item()),
          static_cast<double>(step.losses.box.value().item()), batch.images};
}

StepMemory step_memory(const Config& config, const Dataset& dataset, std::int64_t decoded_bytes, DryRun kind) {
  StepMemory memory;
  const InputSize largest = largest_input(config, dataset);
  memory.width = largest.padded_width;
  memory.height = largest.padded_height;
  const int divisor = config.input.size_divisor;
  const auto limited = [divisor](int side) {
    return std::min(side, std::max(kMeasuredSide / divisor, 1) * divisor);  // a multiple, as `side` is
  };
  const int width = limited(memory.width), height = limited(memory.height);

  const OneThread one;
  const int classes = static_cast<int>(dataset.categories.size());
  const auto measure = [&] {
    std::optional<ShapesOnly> shapes;
    if (kind == DryRun::shapes_only) shapes.emplace();
    return measure_steps(config, classes, width, height);
  };
  const Measured m = std::async(std::launch::async, measure).get();
  memory.parameters = m.parameters;
  memory.per_pixel = static_cast<double>(m.four_pictures - m.two_pictures) / (2.0 * width * height);
  memory.fixed = m.state + one.usual() * m.work_space + 2 * m.two_pictures - m.four_pictures;
  const int shards = config.train.shards;  // one of them is worked on, and all are loaded
  const double pixels = static_cast<double>(memory.width) * memory.height * (config.train.batch_size / shards);
  memory.predicted = memory.fixed + std::llround(memory.per_pixel * pixels);
  const std::int64_t batch_bytes = std::llround(pixels) * 3 * static_cast<std::int64_t>(sizeof(float));
  memory.loader = (config.train.workers + shards) * batch_bytes +
                  std::min(decoded_bytes, static_cast<std::int64_t>(config.train.cache_mib) << 20);
  return memory;
}

void check_memory(const Config& config, const Dataset& dataset, const AvailableMemory& available) {
  Dataset known = dataset;
  std::erase_if(known.images, [](const ImageRecord& image) { return image.width <= 0 || image.height <= 0; });
  if (known.images.empty()) return;
  Config counted = config;
  // Which examples are hard follows from values that are not computed; how much memory a step takes does not.
  if (hard_example_rule(config.loss.kind)) counted.loss.kind = loss_named("focal");
  const StepMemory memory = step_memory(counted, known, 0, DryRun::shapes_only);
  const std::int64_t needed = memory.predicted + memory.loader;
  DIOPTER_CHECK(needed <= available.bytes, "a training step needs about ", needed >> 20, " MiB (",
                config.train.batch_size, " pictures of ", memory.width, "x", memory.height, " and ",
                config.train.workers, " loader threads), and ", available.limit, " has ", available.bytes >> 20,
                " MiB left: lower train.batch_size (and raise train.accumulate), input.max_size or train.workers");
}

}  // namespace diopter
