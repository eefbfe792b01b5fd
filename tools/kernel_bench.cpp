#include "tools/kernel_bench.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>

#include "kernels/common/philox.h"
#include "kernels/detection/box_loss.h"
#include "kernels/detection/classification_loss.h"
#include "kernels/detection/nms.h"
#include "kernels/detection/top_k.h"
#include "kernels/nn/conv2d.h"
#include "kernels/nn/group_norm.h"
#include "kernels/nn/sgd.h"
#include "retinanet/anchors_for_levels.h"
#include "tools/kernel_scene.h"

namespace diopter {

namespace {

struct Case {
  KernelTime time;
  std::function<void()> launch;     // holds the tensors it works on
  std::vector<Tensor> behind = {};  // those that it reaches through a table in memory
};

double microseconds_of(int launches, const Case& one, const Tensor& on_device) {
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < launches; ++i) one.launch();
  on_device.item();  // behind the launches on the same stream: waits for them
  return std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count() / launches;
}

std::vector<KernelTime> timed(const std::vector<Case>& cases, Device device, bool quick) {
  const double wanted = 20'000;  // microseconds a repetition, so that neither clock nor waiting counts
  const int repetitions = quick ? 3 : 11;
  const Tensor on_device = Tensor::zeros({1}, DType::f32, device);
  std::vector<int> launches;
  for (const Case& one : cases) {
    microseconds_of(1, one, on_device);  // warm-up
    const double once = microseconds_of(1, one, on_device);
    launches.push_back(quick ? 1 : static_cast<int>(std::clamp(wanted / once, 1.0, 1000.0)));
  }
  std::vector<std::vector<double>> measured(cases.size());
  for (int repetition = 0; repetition < repetitions; ++repetition) {
    for (std::size_t i = 0; i < cases.size(); ++i) {
      measured[i].push_back(microseconds_of(launches[i], cases[i], on_device));
    }
  }
  std::vector<KernelTime> result;
  for (std::size_t i = 0; i < cases.size(); ++i) {
    std::nth_element(measured[i].begin(), measured[i].begin() + repetitions / 2, measured[i].end());
    result.push_back(cases[i].time);
    result.back().microseconds = measured[i][repetitions / 2];
  }
  return result;
}

/// A batch of square pictures.
struct BatchSize {
  int images, side;
  std::string text() const { return std::to_string(images) + " x " + std::to_string(side) + "^2"; }
};

std::vector<BatchSize> batch_sizes(Device device, bool quick) {
  if (quick) return {{1, 64}};
  if (device == Device::cpu || !kHasGpu) return {{1, 256}, {1, 512}, {2, 800}};
  return {{1, 512}, {1, 800}, {8, 800}};
}

constexpr int kClasses = 80;

template <class T>
void add_classification_loss(std::vector<Case>& cases, Device device, BatchSize batch) {
  const Scene scene(batch.images, batch.side, 12, device);
  const Head<T> head(scene.levels, scene.grid.cells, kClasses, -5, 0.8f, device);
  const Tensor scale = Tensor::full({batch.images}, 0.01f, device), losses = scale.clone();
  const double logits = static_cast<double>(head.values.size());
  cases.push_back({{.name = name_of(head.values.dtype()) + (", " + batch.text()),
                    .bytes = logits * (2 * sizeof(T) + 4.0 / kClasses)},
                   [=] {
                     const ClassificationLossArgs<T> args{.logits = head.levels,
                                                          .labels = scene.labels.data<std::int32_t>(),
                                                          .scale = scale.data<float>(),
                                                          .losses = losses.data<float>()};
                     DIOPTER_DISPATCH(device, classification_loss, args, FocalLoss{});
                   }});
}

template <class T>
void add_top_k(std::vector<Case>& cases, Device device, BatchSize batch) {
  const Scene scene(batch.images, batch.side, 12, device);
  const Head<T> head(scene.levels, scene.grid.cells, kClasses, -5, 0.8f, device);
  const int k = 1000;
  const Shape shape{batch.images, scene.levels.count, k};
  const Tensor indices = Tensor::empty(shape, DType::i32, device), values = Tensor::empty(shape, DType::f32, device);
  const Tensor counts = Tensor::empty({batch.images, scene.levels.count}, DType::i32, device);
  cases.push_back({{.name = name_of(head.values.dtype()) + (", " + batch.text()),
                    .bytes = static_cast<double>(head.values.bytes())},
                   [=] {
                     const TopKArgs<T> args{.logits = head.levels,
                                            .min_logit = -2.944439f,
                                            .k = k,
                                            .indices = indices.data<std::int32_t>(),
                                            .values = values.data<float>(),
                                            .counts = counts.data<std::int32_t>()};
                     DIOPTER_DISPATCH(device, top_k, args);
                   }});
}

template <class T>
void add_box_loss(std::vector<Case>& cases, Device device, BatchSize batch) {
  const Scene scene(batch.images, batch.side, 12, device);
  const Head<T> head(scene.levels, scene.grid.cells, 4, 0, 0.2f, device);
  const Tensor scale = Tensor::full({batch.images}, 0.01f, device), losses = scale.clone();
  for (const BoxLoss kind : {BoxLoss::l1, BoxLoss::ciou}) {
    const std::string name = kind == BoxLoss::l1 ? "l1" : "ciou";
    cases.push_back({{.name = name_of(head.values.dtype()) + (", " + name + ", " + batch.text()),
                      .bytes = static_cast<double>(scene.labels.size()) * (4 + 4 * sizeof(T))},
                     [=] {
                       const BoxLossArgs<T> args{.kind = kind,
                                                 .grid = scene.grid,
                                                 .truth = scene.truth(),
                                                 .deltas = head.levels,
                                                 .labels = scene.labels.data<std::int32_t>(),
                                                 .matches = scene.matches.data<std::int32_t>(),
                                                 .scale = scale.data<float>(),
                                                 .losses = losses.data<float>()};
                       DIOPTER_DISPATCH(device, box_loss, args);
                     }});
  }
}

void add_match(std::vector<Case>& cases, Device device, BatchSize batch) {
  for (const int boxes : {12, 100}) {
    const Scene scene(batch.images, batch.side, boxes, device);
    cases.push_back({{.name = batch.text() + ", " + std::to_string(boxes) + " boxes each",
                      .bytes = 8.0 * static_cast<double>(scene.labels.size())},
                     [=] { scene.match(); }});
  }
}

void add_nms(std::vector<Case>& cases, Device device, int images, int capacity) {
  Philox random(7, 0);
  const std::int64_t count = std::int64_t{images} * capacity;
  std::vector<float> boxes, scores;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = random.uniform(0, 700), y = random.uniform(0, 700);
    boxes.insert(boxes.end(), {x, y, x + random.uniform(10, 100), y + random.uniform(10, 100)});
    scores.push_back(random.uniform());
    labels.push_back(static_cast<std::int32_t>(random.below(kClasses)));
  }
  const int max_kept = 300;
  const Tensor box = Tensor::from({count, 4}, boxes, device), score = Tensor::from({count}, scores, device);
  const Tensor label = Tensor::from({count}, labels, device);
  const Tensor counts = Tensor::from({images}, std::vector<std::int32_t>(images, capacity), device);
  const Tensor keep = Tensor::empty({images, max_kept}, DType::i32, device), kept = counts.clone();
  cases.push_back({{.name = std::to_string(images) + " x " + std::to_string(capacity) + " boxes, 80 classes",
                    .bytes = 24.0 * static_cast<double>(count)},
                   [=] {
                     const NmsArgs args{.images = images,
                                        .capacity = capacity,
                                        .boxes = box.data<float>(),
                                        .scores = score.data<float>(),
                                        .labels = label.data<std::int32_t>(),
                                        .counts = counts.data<std::int32_t>(),
                                        .iou_threshold = 0.5f,
                                        .max_kept = max_kept,
                                        .keep = keep.data<std::int32_t>(),
                                        .kept = kept.data<std::int32_t>()};
                     DIOPTER_DISPATCH(device, batched_nms, args);
                   }});
}

/// Parameters of all sizes, as many tensors as RetinaNet-R50 has.
void add_sgd(std::vector<Case>& cases, Device device, int thousand) {
  const int tensors = 160;
  const std::int64_t parameters = std::int64_t{1000} * thousand;
  const Tensor w = Tensor::zeros({parameters}, DType::f32, device), gradient = w.clone(), velocity = w.clone();
  std::vector<SgdSegment> segments;
  for (std::int64_t i = 0, begin = 0; i < tensors; ++i) {
    // Sizes grow with the square of the number; beginnings are multiples of 4 values, as the optimizer's are.
    const std::int64_t end = parameters * (i + 1) * (i + 1) / (tensors * tensors) / 4 * 4;
    segments.push_back({.w = w.data<float>() + begin,
                        .gradient = gradient.data<float>() + begin,
                        .velocity = velocity.data<float>() + begin,
                        .copy = nullptr,
                        .count = end - begin,
                        .lr_factor = 1,
                        .weight_decay = 1e-4f});
    begin = end;
  }
  const std::int64_t chunks = number_chunks(segments);
  const Tensor table = Tensor::empty({tensors * static_cast<std::int64_t>(sizeof(SgdSegment))}, DType::u8, device);
  table.copy_from_host(segments.data());
  const Tensor lr = Tensor::full({1}, 0.01f, device), one = Tensor::full({1}, 1, device);
  cases.push_back(
      {{.name = std::to_string(thousand) + " thousand parameters", .bytes = 20.0 * static_cast<double>(parameters)},
       [=] {
         const SgdArgs args{.segments = reinterpret_cast<const SgdSegment*>(table.data<std::uint8_t>()),
                            .segment_count = tensors,
                            .chunks = chunks,
                            .lr = lr.data<float>(),
                            .gradient_scale = one.data<float>(),
                            .skip = nullptr};
         DIOPTER_DISPATCH(device, sgd_step, args);
       },
       {w, gradient, velocity}});
}

template <class T>
void add_group_norm(std::vector<Case>& cases, Device device, BatchSize batch) {
  const int channels = 256, groups = 32;
  const Levels levels = pyramid_levels(preset("paper").model, batch.images, batch.side, batch.side);
  const Shape shape{levels.rows(), channels}, images{std::int64_t{batch.images} * levels.count, groups};
  const Tensor x = normal_tensor<T>(shape, 0, 1, device), y = Tensor::empty(shape, DTypeOf<T>::value, device);
  const Tensor gamma = Tensor::full({channels}, 1, device), beta = Tensor::full({channels}, 0, device);
  const Tensor mean = Tensor::empty(images, DType::f32, device), rstd = mean.clone();
  const Tensor dgamma = gamma.clone(), dbeta = gamma.clone();
  const double bytes = static_cast<double>(x.bytes());
  const auto forward = [=] {
    const GroupNormForwardArgs<T> args{.levels = levels,
                                       .channels = channels,
                                       .groups = groups,
                                       .x = x.data<T>(),
                                       .gamma = gamma.data<float>(),
                                       .beta = beta.data<float>(),
                                       .y = y.data<T>(),
                                       .mean = mean.data<float>(),
                                       .rstd = rstd.data<float>()};
    DIOPTER_DISPATCH(device, group_norm_forward, args);
  };
  forward();  // so that the statistics which backward reads are set
  const std::string what = name_of(x.dtype()) + (", " + batch.text() + ", 256 channels");
  cases.push_back({{.name = "forward " + what, .bytes = 3 * bytes}, forward});
  cases.push_back({{.name = "backward " + what, .bytes = 5 * bytes}, [=] {
                     const GroupNormBackwardArgs<T> args{.levels = levels,
                                                         .channels = channels,
                                                         .groups = groups,
                                                         .x = x.data<T>(),
                                                         .dy = x.data<T>(),
                                                         .gamma = gamma.data<float>(),
                                                         .mean = mean.data<float>(),
                                                         .rstd = rstd.data<float>(),
                                                         .dx = y.data<T>(),
                                                         .dgamma = dgamma.data<float>(),
                                                         .dbeta = dbeta.data<float>()};
                     DIOPTER_DISPATCH(device, group_norm_backward, args);
                   }});
}

/// A layer of the heads' towers: 3 x 3 on all levels, with bias and ReLU.
template <class T>
void add_conv2d(std::vector<Case>& cases, Device device, BatchSize batch, int channels) {
  const Conv2dShape shape{.in = pyramid_levels(preset("paper").model, batch.images, batch.side, batch.side),
                          .in_channels = channels,
                          .out_channels = channels,
                          .kernel = 3,
                          .padding = 1};
  const std::int64_t rows = shape.in.rows();
  const Tensor x = normal_tensor<T>({rows, channels}, 0, 1, device), y = Tensor::empty(x.shape(), x.dtype(), device);
  const Tensor w = normal_tensor<T>({channels, 3, 3, channels}, 0, 0.02f, device);
  const Tensor bias = Tensor::full({channels}, 0, device);
  const Tensor dw = Tensor::empty(w.shape(), DType::f32, device);
  const double both = static_cast<double>(2 * x.bytes());
  const double operations = 2.0 * static_cast<double>(rows) * 9 * channels * channels;
  const std::string what = name_of(x.dtype()) + (", " + batch.text() + ", " + std::to_string(channels) + " channels");
  const auto add = [&](const std::string& pass, double weight_bytes, const std::function<void()>& launch) {
    cases.push_back({{.name = pass + " " + what, .bytes = both + weight_bytes, .operations = operations}, launch});
  };
  add("forward", static_cast<double>(w.bytes()), [=] {
    const Conv2dForwardArgs<T> args{.shape = shape,
                                    .x = x.data<T>(),
                                    .w = w.data<T>(),
                                    .y = y.data<T>(),
                                    .epilogue = {.bias = bias.data<float>(), .relu = true}};
    DIOPTER_DISPATCH(device, conv2d_forward, args);
  });
  add("data", static_cast<double>(w.bytes()),
      [=] { DIOPTER_DISPATCH(device, conv2d_backward_data, shape, x.data<T>(), w.data<T>(), y.data<T>()); });
  add("weight", static_cast<double>(dw.bytes()),
      [=] { DIOPTER_DISPATCH(device, conv2d_backward_weight, shape, x.data<T>(), x.data<T>(), dw.data<float>()); });
}

using Add = void (*)(std::vector<Case>&, Device, BatchSize);

}  // namespace

KernelTime copy_time(Device device, bool quick) {
  const std::int64_t mib = quick ? 1 : 256;
  const Tensor from = Tensor::zeros({mib << 18}, DType::f32, device), to = from.clone();
  const Case copy{{.name = std::to_string(mib) + " MiB", .bytes = 2 * static_cast<double>(from.bytes())},
                  [=] { to.copy_from(from); }};
  return timed({copy}, device, quick).front();
}

std::vector<KernelTime> kernel_times(const KernelEntry& kernel, Device device, bool quick) {
  static const std::map<std::string, std::vector<Add>> by_batch{
      {"classification_loss", {add_classification_loss<float>, add_classification_loss<bf16>}},
      {"match", {add_match}},
      {"box_loss", {add_box_loss<float>, add_box_loss<bf16>}},
      {"top_k", {add_top_k<float>, add_top_k<bf16>}},
      {"group_norm", {add_group_norm<float>, add_group_norm<bf16>}}};
  const std::string name = kernel.name;
  std::vector<Case> cases;
  if (name == "nms") {
    for (const int images : quick ? std::vector{1} : std::vector{1, 8}) {
      for (const int boxes : quick ? std::vector{50} : std::vector{1000, 5000}) add_nms(cases, device, images, boxes);
    }
  } else if (name == "sgd") {
    for (const int thousand : quick ? std::vector{200} : std::vector{1'000, 38'000}) add_sgd(cases, device, thousand);
  } else if (name == "conv2d") {
    for (const BatchSize& batch : batch_sizes(device, quick)) {
      add_conv2d<float>(cases, device, batch, quick ? 16 : 256);
      add_conv2d<bf16>(cases, device, batch, quick ? 16 : 256);
    }
  } else {
    const auto found = by_batch.find(name);
    DIOPTER_CHECK(found != by_batch.end(), "there is no benchmark of ", name);
    for (const BatchSize& batch : batch_sizes(device, quick)) {
      for (const Add add : found->second) add(cases, device, batch);
    }
  }
  return timed(cases, device, quick);
}

}  // namespace diopter
