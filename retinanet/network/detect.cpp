#include "retinanet/network/detect.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "data/pictures/draw.h"
#include "engine/profile/profile.h"
#include "kernels/toolkit/dispatch.h"
#include "kernels/detection/nms.h"
#include "kernels/detection/top_k.h"
#include "retinanet/detection/targets.h"

namespace diopter {

namespace {

// Of the input, for the network on a CPU: more pictures at once take no less time each there, only more memory.
constexpr std::int64_t kPixelsAtOnce = 1 << 19;

struct Candidates {
  Tensor boxes, scores, labels, counts;  // [images, capacity, ...], counts [images]
  std::int64_t capacity;
};

Candidates candidates(const RetinaNet& model, const RetinaNet::Output& output, const Tensor& sizes) {
  const Config::Detect& rule = model.config().detect;
  const int images = output.logits.levels.level[0].n, levels = output.grid.levels, k = rule.top_k;
  const Device device = sizes.device();
  const double p = rule.score_threshold;
  const float min_logit = p > 0 ? static_cast<float>(std::log(p / (1 - p))) : -INFINITY;
  const Tensor indices = Tensor::empty({images, levels, k}, DType::i32, device);
  const Tensor values = Tensor::empty({images, levels, k}, DType::f32, device);
  const Tensor counts = Tensor::empty({images, levels}, DType::i32, device);
  Candidates result;
  result.capacity = std::int64_t{levels} * k;
  result.boxes = Tensor::empty({images, result.capacity, 4}, DType::f32, device);
  result.scores = Tensor::empty({images, result.capacity}, DType::f32, device);
  result.labels = Tensor::empty({images, result.capacity}, DType::i32, device);
  result.counts = Tensor::empty({images}, DType::i32, device);
  with_dtype(output.logits.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(device, top_k,
                     TopKArgs<T>{.logits = head_levels<T>(output.logits, Tensor(), output.grid.cells, model.classes()),
                                 .min_logit = min_logit, .k = k, .indices = indices.data<std::int32_t>(),
                                 .values = values.data<float>(), .counts = counts.data<std::int32_t>()});
  });
  with_dtype(output.deltas.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    DIOPTER_DISPATCH(device, decode_candidates,
                     DecodeArgs<T>{.grid = output.grid, .deltas = head_levels<T>(output.deltas, Tensor(), output.grid.cells, 4),
                                   .classes = model.classes(), .k = k, .indices = indices.data<std::int32_t>(),
                                   .values = values.data<float>(), .counts = counts.data<std::int32_t>(),
                                   .image_sizes = rule.clip_before_nms ? sizes.data<float>() : nullptr,
                                   .boxes = result.boxes.data<float>(), .scores = result.scores.data<float>(),
                                   .labels = result.labels.data<std::int32_t>(),
                                   .candidates = result.counts.data<std::int32_t>()});
  });
  return result;
}

/// From the resized picture to the original one; clipped to it, empty boxes are left out where NMS saw unclipped ones.
bool to_original(Box& box, const float* size, const float* original, bool clip) {
  const float rx = original[0] / size[0], ry = original[1] / size[1];
  box = {box.x1 * rx, box.y1 * ry, box.x2 * rx, box.y2 * ry};
  if (!clip) return true;
  box = {std::clamp(box.x1, 0.0f, original[0]), std::clamp(box.y1, 0.0f, original[1]),
         std::clamp(box.x2, 0.0f, original[0]), std::clamp(box.y2, 0.0f, original[1])};
  return box.x2 > box.x1 && box.y2 > box.y1;
}

}  // namespace

std::vector<std::vector<DetectedBox>> detect(const RetinaNet& model, const Batch& batch) {
  const Tensor input = input_of(batch, model.device()).value();
  const std::int64_t pixels = std::int64_t{batch.height} * batch.width;
  const int at_once = model.device() == Device::cpu
                          ? static_cast<int>(std::max<std::int64_t>(1, kPixelsAtOnce / pixels))
                          : batch.images;
  std::vector<std::vector<DetectedBox>> found;
  for (int first = 0; first < batch.images; first += at_once) {
    const Variable part(input.slice(first, std::min(first + at_once, batch.images)));
    for (auto& of_image : detections_of(model, model(part), batch, first)) found.push_back(std::move(of_image));
  }
  return found;
}

std::vector<std::vector<DetectedBox>> detections_of(const RetinaNet& model, const RetinaNet::Output& output,
                                                    const Batch& batch, int first) {
  const ProfiledScope phase("post-processing");
  const Config::Detect& rule = model.config().detect;
  const int images = output.logits.levels.level[0].n;
  const float *sizes = &batch.sizes[2 * first], *original_sizes = &batch.original_sizes[2 * first];
  const Candidates found = candidates(
      model, output, Tensor::from({images, 2}, std::vector<float>(sizes, sizes + 2 * images), model.device()));
  const Tensor keep = Tensor::empty({images, rule.max_detections}, DType::i32, found.boxes.device());
  const Tensor kept = Tensor::empty({images}, DType::i32, found.boxes.device());
  DIOPTER_DISPATCH(found.boxes.device(), batched_nms,
                   NmsArgs{.images = images, .capacity = static_cast<int>(found.capacity),
                           .boxes = found.boxes.data<float>(), .scores = found.scores.data<float>(),
                           .labels = found.labels.data<std::int32_t>(), .counts = found.counts.data<std::int32_t>(),
                           .iou_threshold = static_cast<float>(rule.nms_iou), .class_aware = rule.class_aware,
                           .max_kept = rule.max_detections, .keep = keep.data<std::int32_t>(),
                           .kept = kept.data<std::int32_t>()});

  const auto boxes = found.boxes.to_vector<float>(), scores = found.scores.to_vector<float>();
  const auto labels = found.labels.to_vector<std::int32_t>();
  const auto indices = keep.to_vector<std::int32_t>(), counts = kept.to_vector<std::int32_t>();
  std::vector<std::vector<DetectedBox>> result(static_cast<std::size_t>(images));
  for (int n = 0; n < images; ++n) {
    for (int i = 0; i < counts[n]; ++i) {
      const std::int64_t c = n * found.capacity + indices[std::int64_t{n} * rule.max_detections + i];
      Box box{boxes[4 * c], boxes[4 * c + 1], boxes[4 * c + 2], boxes[4 * c + 3]};
      if (!to_original(box, sizes + 2 * n, original_sizes + 2 * n, !rule.clip_before_nms)) continue;
      result[n].push_back({box, labels[c], scores[c]});
    }
  }
  return result;
}

LoaderOptions loader_options(const Config& config) {
  LoaderOptions options;
  options.batch_size = config.train.batch_size;
  options.workers = config.train.workers;
  options.seed = static_cast<std::uint64_t>(config.train.seed);
  options.divisor = config.input.size_divisor;
  options.cache_bytes = static_cast<std::size_t>(config.train.cache_mib) << 20;
  options.resize.kind = config.input.resize;
  options.resize.min_sizes = config.input.min_sizes;
  options.resize.max_size = config.input.max_size;
  options.resize.enlarge = config.input.enlarge;
  options.resize.filter = config.input.filter;
  options.resize.round = config.input.round;
  options.resize.float_scale = config.input.float_scale;
  const auto f = [](double value) { return static_cast<float>(value); };
  const Config::Augment& a = config.augment;
  options.augment = {f(a.flip),       f(a.scale_min), f(a.scale_max),  f(a.crop), f(a.crop_min),
                     f(a.brightness), f(a.contrast),  f(a.saturation), f(a.hue)};
  for (int c = 0; c < 3; ++c) {
    options.normalisation.mean[c] = f(config.input.mean[c]);
    options.normalisation.std[c] = f(config.input.std[c]);
  }
  options.normalisation.divisor = f(config.input.divisor);
  options.normalisation.bgr = config.input.bgr;
  return options;
}

std::vector<Detection> detect_all(const RetinaNet& model, const Dataset& dataset,
                                  const std::vector<std::int64_t>& category_ids,
                                  const std::function<void(std::int64_t, std::int64_t)>& progress) {
  LoaderOptions options = loader_options(model.config());
  options.batch_size = model.config().detect.batch_size;
  EvaluationLoader loader(dataset, options);
  std::vector<Detection> detections;
  std::int64_t done = 0;
  const auto next = [&](Batch& batch) {
    const ProfiledScope phase("load");
    return loader.next(batch);
  };
  for (Batch batch; next(batch);) {
    const auto found = detect(model, batch);
    for (int n = 0; n < batch.images; ++n) {
      for (const DetectedBox& d : found[n]) {
        const double x = d.box.x1, y = d.box.y1;
        detections.push_back({batch.image_ids[n], category_ids[d.label], {x, y, d.box.x2 - x, d.box.y2 - y}, d.score});
      }
    }
    done += batch.images;
    if (progress) progress(done, static_cast<std::int64_t>(dataset.images.size()));
  }
  return detections;
}

Image draw_detections(Image image, const std::vector<Annotation>& truth, const std::vector<DetectedBox>& detections,
                      const std::vector<std::string>& classes, float min_score) {
  const float factor = static_cast<float>(enlarge(image, 384));
  const auto enlarged = [factor](const Box& b) {
    return Box{b.x1 * factor, b.y1 * factor, b.x2 * factor, b.y2 * factor};
  };
  for (const Annotation& a : truth) draw_box(image, enlarged(a.rect.box()), "", {255, 255, 255});
  for (auto d = detections.rbegin(); d != detections.rend(); ++d) {  // the best on top
    if (d->score < min_score) continue;
    char score[16];
    std::snprintf(score, sizeof score, " %.2f", static_cast<double>(d->score));
    draw_box(image, enlarged(d->box), classes[d->label] + score, class_colour(d->label));
  }
  return image;
}

}  // namespace diopter
