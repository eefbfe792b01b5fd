#include "retinanet/network/detect.h"

#include <algorithm>
#include <cmath>

#include "engine/profile/profile.h"
#include "retinanet/detection/candidates.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

// Of the input, for the network on a CPU: more pictures at once take no less time each there, only more memory.
constexpr std::int64_t kPixelsAtOnce = 1 << 19;

/// The logit of a probability; of 0: minus infinity.
float logit_of(double p) { return p > 0 ? static_cast<float>(std::log(p / (1 - p))) : -INFINITY; }

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
  const Tensor clip_to = rule.clip_before_nms
                             ? Tensor::from({images, 2}, std::vector<float>(sizes, sizes + 2 * images), model.device())
                             : Tensor();
  const Candidates found = find_candidates({.min_value = logit_of(rule.score_threshold),
                                            .top_k = rule.top_k,
                                            .sigmoid = true,
                                            .nms_iou = static_cast<float>(rule.nms_iou),
                                            .class_aware = rule.class_aware,
                                            .max_kept = rule.max_detections},
                                           output.grid, model.classes(), output.logits, output.deltas, clip_to);

  const auto boxes = found.boxes.to_vector<float>(), scores = found.scores.to_vector<float>();
  const auto labels = found.labels.to_vector<std::int32_t>();
  const auto indices = found.keep.to_vector<std::int32_t>(), counts = found.kept.to_vector<std::int32_t>();
  const std::int64_t capacity = found.scores.shape()[1];
  std::vector<std::vector<DetectedBox>> result(static_cast<std::size_t>(images));
  for (int n = 0; n < images; ++n) {
    for (int i = 0; i < counts[n]; ++i) {
      const std::int64_t c = n * capacity + indices[std::int64_t{n} * rule.max_detections + i];
      Box box{boxes[4 * c], boxes[4 * c + 1], boxes[4 * c + 2], boxes[4 * c + 3]};
      if (!to_original(box, sizes + 2 * n, original_sizes + 2 * n, !rule.clip_before_nms)) continue;
      result[n].push_back({box, labels[c], scores[c]});
    }
  }
  return result;
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
        const double x = d.box.x1, y = d.box.y1, width = double{d.box.x2} - x, height = double{d.box.y2} - y;
        detections.push_back({batch.image_ids[n], category_ids[d.label], {x, y, width, height}, d.score});
      }
    }
    done += batch.images;
    if (progress) progress(done, static_cast<std::int64_t>(dataset.images.size()));
  }
  return detections;
}

}  // namespace diopter
