#include <algorithm>
#include <map>
#include <numeric>

#include "kernels/base/philox.h"
#include "kernels/detection/anchors.h"
#include "kernels/detection/any_loss.h"
#include "kernels/detection/box_loss.h"
#include "kernels/detection/candidates/nms.h"
#include "kernels/detection/candidates/top_k.h"
#include "kernels/detection/classification_loss.h"
#include "kernels/detection/hard_examples.h"
#include "kernels/detection/loss_scale.h"
#include "kernels/detection/pairs/box_pairs.h"
#include "kernels/detection/pairs/elementwise_loss.h"
#include "tools/kernels/cases.h"
#include "tools/kernels/scene.h"

namespace diopter {

namespace {

using Cases = std::vector<KernelCase>;

constexpr int kClasses = 80;

std::string text_of_classes(int classes) {
  return classes == kClasses ? "" : ", " + std::to_string(classes) + " classes";
}

template <class T>
void add_classification_loss(Cases& cases, Device device, const CaseSize& batch) {
  const int classes = batch.get("classes", kClasses);
  const Scene scene(batch.images, batch.side, batch.get("boxes", 12), device, classes);
  const HeadOutput<T> head(scene.levels, scene.grid.cells, classes, -5, 0.8f, device);
  const Tensor scale = Tensor::full({batch.images}, 0.01f, device), losses = scale.clone();
  cases.push_back({name_of(head.values.dtype()) + (", " + batch.text()) + text_of_classes(classes),
                   [=] {
                     const ClassificationLossArgs<T> args{.logits = head.levels,
                                                          .labels = scene.labels.data<std::int32_t>(),
                                                          .scale = scale.data<float>(),
                                                          .losses = losses.data<float>()};
                     DIOPTER_DISPATCH(device, classification_loss, args, loss_named("focal"));
                   },
                   {},
                   {{"logits", head.values},
                    {"labels", scene.labels},
                    {"scale", scale},
                    {"losses", losses},
                    {"gradient", head.gradient}}});
}

/// As many logits as the images' anchors have.
template <class T>
void add_elementwise_loss(Cases& cases, Device device, const CaseSize& batch) {
  const Scene scene(batch.images, batch.side, 12, device);
  const HeadOutput<T> head(scene.levels, scene.grid.cells, kClasses, -5, 0.8f, device);
  const Tensor targets = Tensor::zeros(head.values.shape(), DType::f32, device);
  const Tensor losses = Tensor::empty(targets.shape(), DType::f32, device);
  cases.push_back({name_of(head.values.dtype()) + (", " + batch.text()), [=] {
                     const ElementwiseLossArgs<T> args{.n = head.values.size(),
                                                       .logits = head.levels.level[0].values,
                                                       .targets = targets.data<float>(),
                                                       .losses = losses.data<float>(),
                                                       .gradient = head.levels.level[0].gradient};
                     DIOPTER_DISPATCH(device, elementwise_loss, args, loss_named("focal"));
                   }});
}

/// The anchors of an image with 100 boxes, and as many pairs as anchors.
void add_box_pairs(Cases& cases, Device device, const CaseSize& batch) {
  const Scene scene(1, batch.side, 1, device);
  const std::int64_t n = scene.grid.size(), columns = 100;
  const Tensor boxes = Tensor::empty({n, 4}, DType::f32, device);
  DIOPTER_DISPATCH(device, generate_anchors, scene.grid, boxes.data<float>());
  const Tensor ious = Tensor::empty({n, columns}, DType::f32, device);
  cases.push_back(
      {"IoU, " + CaseSize{1, batch.side}.text(), [=] {
         const PairwiseIouArgs args{n, columns, boxes.data<float>(), boxes.data<float>(), ious.data<float>()};
         DIOPTER_DISPATCH(device, pairwise_iou, args);
       }});
  const Tensor losses = Tensor::empty({n}, DType::f32, device), gradient = boxes.clone();
  cases.push_back(
      {"giou, " + CaseSize{1, batch.side}.text(), [=] {
         const BoxPairLossArgs args{
             BoxLoss::giou,         1e-7f, n, boxes.data<float>(), boxes.data<float>(), losses.data<float>(),
             gradient.data<float>()};
         DIOPTER_DISPATCH(device, box_pair_loss, args);
       }});
}

template <class T>
void add_anchor_scores(Cases& cases, Device device, const CaseSize& batch) {
  const Scene scene(batch.images, batch.side, 12, device);
  const HeadOutput<T> head(scene.levels, scene.grid.cells, kClasses, -5, 0.8f, device);
  const Tensor scores = Tensor::empty(scene.labels.shape(), DType::f32, device);
  cases.push_back({name_of(head.values.dtype()) + (", scores, " + batch.text()), [=] {
                     const AnchorScoreArgs<T> args{.logits = head.levels,
                                                   .labels = scene.labels.data<std::int32_t>(),
                                                   .scores = scores.data<float>()};
                     DIOPTER_DISPATCH(device, anchor_scores, args, loss_named("ohem"));
                   }});
}

/// Survivors are the first anchors of each level, 384 per image.
void add_select_hard_examples(Cases& cases, Device device, const CaseSize& batch) {
  const Scene scene(batch.images, batch.side, 12, device);
  const int levels = scene.grid.levels, k = 384 / levels;
  std::vector<std::int32_t> indices, counts, keep, kept;
  for (int image = 0; image < batch.images; ++image) {
    for (int l = 0; l < levels; ++l) {
      const int found = static_cast<int>(std::min<std::int64_t>(k, scene.grid.level_size(l)));
      for (int i = 0; i < k; ++i) indices.push_back(i);
      counts.push_back(found);
    }
    const int all = std::accumulate(counts.end() - levels, counts.end(), 0);
    for (int i = 0; i < levels * k; ++i) keep.push_back(i);
    kept.push_back(all);
  }
  const auto tensor = [&](const std::vector<std::int32_t>& v) {
    return Tensor::from({static_cast<std::int64_t>(v.size())}, v, device);
  };
  const Tensor index = tensor(indices), count = tensor(counts), keeps = tensor(keep), keepers = tensor(kept);
  const Tensor labels = scene.labels.clone(), selected = keepers.clone(), positives = keepers.clone();
  cases.push_back({"selection, " + batch.text(), [=] {
                     const HardExampleArgs args{
                         .grid = scene.grid,
                         .images = batch.images,
                         .rule = {.batch = 128, .nms_iou = 0.5f, .candidates = k, .negatives_per_positive = 3},
                         .labels = scene.labels.data<std::int32_t>(),
                         .k = k,
                         .indices = index.data<std::int32_t>(),
                         .counts = count.data<std::int32_t>(),
                         .max_kept = levels * k,
                         .keep = keeps.data<std::int32_t>(),
                         .kept = keepers.data<std::int32_t>(),
                         .selected_labels = labels.data<std::int32_t>(),
                         .selected = selected.data<std::int32_t>(),
                         .positives = positives.data<std::int32_t>()};
                     DIOPTER_DISPATCH(device, select_hard_examples, args);
                   }});
}

template <class T>
void add_top_k(Cases& cases, Device device, const CaseSize& batch) {
  const int classes = batch.get("classes", kClasses);
  const Scene scene(batch.images, batch.side, 12, device);
  const HeadOutput<T> head(scene.levels, scene.grid.cells, classes, -5, 0.8f, device);
  const int k = 1000;
  const Shape shape{batch.images, scene.levels.count, k};
  const Tensor indices = Tensor::empty(shape, DType::i32, device), values = Tensor::empty(shape, DType::f32, device);
  const Tensor counts = Tensor::empty({batch.images, scene.levels.count}, DType::i32, device);
  cases.push_back({name_of(head.values.dtype()) + (", " + batch.text()) + text_of_classes(classes), [=] {
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
void add_box_loss(Cases& cases, Device device, const CaseSize& batch) {
  const Scene scene(batch.images, batch.side, 12, device);
  const HeadOutput<T> head(scene.levels, scene.grid.cells, 4, 0, 0.2f, device);
  const Tensor scale = Tensor::full({batch.images}, 0.01f, device), losses = scale.clone();
  for (const BoxLoss kind : {BoxLoss::l1, BoxLoss::ciou}) {
    const std::string name = kind == BoxLoss::l1 ? "l1" : "ciou";
    cases.push_back({name_of(head.values.dtype()) + (", " + name + ", " + batch.text()), [=] {
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

void add_match(Cases& cases, Device device, const CaseSize& batch) {
  const int wanted = batch.get("boxes", 0);
  for (const int boxes : wanted > 0 ? std::vector{wanted} : std::vector{12, 100}) {
    const Scene scene(batch.images, batch.side, boxes, device);
    const Tensor anchors = Tensor::empty({scene.grid.size(), 4}, DType::f32, device);
    DIOPTER_DISPATCH(device, generate_anchors, scene.grid, anchors.data<float>());
    cases.push_back({batch.text() + ", " + std::to_string(boxes) + " boxes each",
                     [=] { scene.match(); },
                     {},
                     {{"anchors", anchors},
                      {"boxes", scene.boxes},
                      {"classes", scene.classes},
                      {"labels", scene.labels},
                      {"matches", scene.matches}}});
  }
}

/// Boxes of 10 to 100 pixels on pictures of 700 x 700.
void add_nms(Cases& cases, Device device, const CaseSize& size) {
  const int images = size.images, capacity = size.get("boxes", 1000), classes = size.get("classes", kClasses);
  const int max_kept = size.get("kept", 300);
  Philox random(7, 0);
  const std::int64_t count = std::int64_t{images} * capacity;
  std::vector<float> boxes, scores;
  std::vector<std::int32_t> labels;
  for (std::int64_t i = 0; i < count; ++i) {
    const float x = random.uniform(0, 700), y = random.uniform(0, 700);
    boxes.insert(boxes.end(), {x, y, x + random.uniform(10, 100), y + random.uniform(10, 100)});
    scores.push_back(random.uniform());
    labels.push_back(static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(classes))));
  }
  const Tensor box = Tensor::from({count, 4}, boxes, device), score = Tensor::from({count}, scores, device);
  const Tensor label = Tensor::from({count}, labels, device);
  const Tensor counts = Tensor::from({images}, std::vector<std::int32_t>(images, capacity), device);
  const Tensor keep = Tensor::empty({images, max_kept}, DType::i32, device), kept = counts.clone();
  cases.push_back(
      {std::to_string(images) + " x " + std::to_string(capacity) + " boxes, " + std::to_string(classes) + " classes",
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
       },
       {},
       {{"boxes", box}, {"scores", score}, {"labels", label}, {"keep", keep}, {"kept", kept}}});
}

void add_loss_scale(Cases& cases, Device device, const CaseSize& batch) {
  const Tensor positives = Tensor::zeros({batch.images}, DType::i32, device);
  const Tensor average = Tensor::full({1}, 100, device), total = average.clone();
  const Tensor scale = Tensor::empty({batch.images}, DType::f32, device);
  cases.push_back({std::to_string(batch.images) + " images", [=] {
                     const LossScaleArgs args{.normaliser = LossNormaliser::ema,
                                              .momentum = 0.9f,
                                              .images = batch.images,
                                              .positives = positives.data<std::int32_t>(),
                                              .average = average.data<float>(),
                                              .scale = scale.data<float>(),
                                              .total = total.data<float>()};
                     DIOPTER_DISPATCH(device, loss_scale, args);
                   }});
}

void add_anchors(Cases& cases, Device device, const CaseSize& batch) {
  const Scene scene(1, batch.side, 1, device);
  const Tensor boxes = Tensor::empty({scene.grid.size(), 4}, DType::f32, device);
  cases.push_back({CaseSize{1, batch.side}.text(),
                   [=] { DIOPTER_DISPATCH(device, generate_anchors, scene.grid, boxes.data<float>()); }});
}

}  // namespace

const std::map<std::string, std::vector<CaseMaker>>& detection_cases() {
  static const std::map<std::string, std::vector<CaseMaker>> makers{
      {"classification_loss",
       {{DType::f32, add_classification_loss<float>}, {DType::bf16, add_classification_loss<bf16>}}},
      {"elementwise_loss", {{DType::f32, add_elementwise_loss<float>}, {DType::bf16, add_elementwise_loss<bf16>}}},
      {"hard_examples",
       {{DType::f32, add_anchor_scores<float>},
        {DType::bf16, add_anchor_scores<bf16>},
        {DType::f32, add_select_hard_examples}}},
      {"match", {{DType::f32, add_match}}},
      {"nms", {{DType::f32, add_nms}}},
      {"loss_scale", {{DType::f32, add_loss_scale}}},
      {"anchors", {{DType::f32, add_anchors}}},
      {"box_loss", {{DType::f32, add_box_loss<float>}, {DType::bf16, add_box_loss<bf16>}}},
      {"box_pairs", {{DType::f32, add_box_pairs}}},
      {"top_k", {{DType::f32, add_top_k<float>}, {DType::bf16, add_top_k<bf16>}}}};
  return makers;
}

}  // namespace diopter
