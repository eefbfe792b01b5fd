#include "retinanet/config/keys.h"

#include <algorithm>
#include <string>

#include "kernels/base/text.h"
#include "retinanet/config/config_error.h"
#include "retinanet/config/key_rows.h"

namespace diopter {

namespace {

// Limits of what has none by its nature: far beyond what anybody wants, and small enough that sizes made of them are
// numbers. A checkpoint of a stranger is held to them, too.
constexpr double kLongestSide = 32768, kMostPictures = 65536, kMostFound = 1 << 20;

// The rows: name, member, range or names, value before the key existed, help. Every file of 0.1 has all of these keys;
// they have the values of the preset torchvision. A key that is added has the value of what the program did without it,
// and is marked: r.flag("new", &T::new_one, false, "...").later = true.

void add_model(const Rows<Config::Model>& r) {
  using M = Config::Model;
  r.backbone("backbone", &M::backbone, "resnet50",
             "network below the pyramid, a header of retinanet/network/backbones");
  r.number("width", &M::width, between(4, 1024), 16, "channels of the tiny backbone's stem");
  r.choice("norm", &M::norm, kBackboneNorms, NormKind::frozen_batch, "norms of the backbone");
  r.number("groups", &M::groups, between(1, 8192), 32, "of group norms, in backbone and heads");
  r.number("norm_eps", &M::norm_eps, at_least(0), 1e-5,
           "added to the variance in the backbone's norms; 0 for torchvision's COCO weights of 2020");
  r.number("freeze_stages", &M::freeze_stages, between(0, 5), 2,
           "1: stem, 2: and layer1, ...; 0: everything is trained");
  r.flag("stride_in_1x1", &M::stride_in_1x1, false, "of bottlenecks; true for Caffe's ResNets");
  r.text("weights", &M::weights, "",
         "file to start from: .safetensors, .pth, .pt, .pkl; auto: built-in ones that fit (docs/weights.md)");
  r.number("min_level", &M::min_level, between(2, 5), 3, "first pyramid level; level l has stride 2^l");
  r.number("max_level", &M::max_level, between(2, 9), 7, "last pyramid level");
  r.choice("p6_from", &M::p6_from, kP6Sources, P6Source::p5, "input of the first level beyond the backbone");
  r.number("fpn_channels", &M::fpn_channels, between(1, 8192), 256, "channels of pyramid and heads");
  r.number("head_depth", &M::head_depth, between(0, 64), 4, "3x3 convolutions before the last, in each subnet");
  r.choice("head_norm", &M::head_norm, kHeadNorms, NormKind::none, "norms of the heads");
  const Range probability{.lowest = 0, .highest = 1, .with_lowest = false, .with_highest = false};
  r.numbers_or_rule("prior", &M::prior, probability, kPriorRules, 0.01,
                    "initial probability of a positive (docs/prior.md)");
}

void add_anchors(const Rows<Config::Anchors>& r) {
  using A = Config::Anchors;
  r.number("size_factor", &A::size_factor, above(0), 4,
           "a square anchor of scale 1 on level l has sides size_factor * 2^l");
  r.list("scales", &A::scales, kNotEmpty, above(0), {1.0, 1.2599210498948732, 1.5874010519681994},
         "sizes of the anchors of a level");
  r.list("ratios", &A::ratios, kNotEmpty, above(0), {0.5, 1.0, 2.0}, "height / width");
  r.choice("round", &A::round, kAnchorRoundings, AnchorRounding::torchvision,
           "torchvision truncates sizes and rounds corners to integers");
  r.choice("order", &A::order, kAnchorOrders, AnchorOrder::ratio_major,
           "order of the anchors of a pixel: torchvision's, Detectron2's");
  r.choice("stride", &A::stride, kAnchorStrides, AnchorStride::grid,
           "2^level, or padded size / grid size (torchvision)");
  r.number("offset", &A::offset, any_number(), 0, "0: centres on pixel corners, 0.5: on pixel centres");
}

void add_match(const Rows<Config::Match>& r) {
  using M = Config::Match;
  r.choice("rule", &M::rule, kMatchKinds, MatchKind::iou,
           "by thresholds of the IoU, or adaptive training sample selection (docs/kernels/match.md)")
      .later = true;
  r.number("candidates", &M::candidates, between(1, kMostMatchCandidates), 9,
           "of rule = atss: anchors of each level that a box may claim")
      .later = true;
  r.number("foreground_iou", &M::foreground_iou, between(0, 1), 0.5, "IoU with a box from which an anchor is positive");
  r.number("background_iou", &M::background_iou, between(0, 1), 0.4,
           "IoU below which it is negative; between the two it is ignored");
  r.flag("low_quality", &M::low_quality, true, "every box claims its best anchors");
  r.number("ignore_overlap", &M::ignore_overlap, any_number(), 0.5,
           "share of an anchor inside a crowd region from which it is ignored");
}

void add_loss(const Rows<Config::Loss>& r) {
  using L = Config::Loss;
  r.loss("kind", &L::kind, loss_named("focal"), "classification loss (diopter info lists them); its parameters follow");
  r.choice("normaliser", &L::normaliser, kLossNormalisers, LossNormaliser::image,
           "what positives are counted over; ema is a moving average");
  r.number("ema_momentum", &L::ema_momentum, between(0, 1), 0.9, "of normaliser = ema");
  r.number("ema_start", &L::ema_start, above(0), 100, "of normaliser = ema: the average before the first step");
  r.choice("box", &L::box, kBoxLosses, BoxLoss::l1, "box loss");
  r.number("smooth_l1_beta", &L::smooth_l1_beta, at_least(0), 0, "where smooth_l1 turns from square to linear");
  r.number_or_name("classification_weight", &L::classification_weight, any_number(), kClassificationWeights, 1,
                   "factor of the classification loss; guided: box loss / classification loss");
  r.number("box_weight", &L::box_weight, any_number(), 1, "factor of the box loss");
  r.numbers_or_rule("class_weights", &L::class_weights, at_least(0), kClassWeightRules, "none",
                    "factors of the classification loss of positives, by class (docs/class_balance.md)")
      .later = true;
  r.number("effective_beta", &L::effective_beta, {.lowest = 0, .highest = 1, .with_highest = false}, 0.999,
           "of class_weights = effective: 0 weighs all alike, near 1 as balanced does")
      .later = true;
}

void add_input(const Rows<Config::Input>& r) {
  using I = Config::Input;
  r.choice("resize", &I::resize, kResizes, ResizeRule::Kind::shorter_side,
           "side whose length is given; exact is max_size x max_size");
  r.list("min_sizes", &I::min_sizes, kNotEmpty, between(1, kLongestSide), {800},
         "shorter side; training draws one, evaluation takes the last");
  r.number("max_size", &I::max_size, between(1, kLongestSide), 1333, "longer side at most, in pixels");
  r.flag("enlarge", &I::enlarge, true, "false: smaller pictures stay as they are");
  r.choice("filter", &I::filter, kResizeFilters, ResizeRule::Filter::bilinear,
           "of normalised pictures, or of 8-bit ones (Detectron2)");
  r.flag("round", &I::round, false, "sizes rounded instead of floored");
  r.flag("float_scale", &I::float_scale, false, "floored sizes by a scale in float, as torchvision until 0.13");
  r.number("size_divisor", &I::size_divisor, between(1, 4096), 32, "batches are padded to multiples of it");
  r.list("mean", &I::mean, kThree, any_number(), {0.485, 0.456, 0.406},
         "subtracted from each channel, in the order of the input");
  r.list("std", &I::std, kThree, above(0), {0.229, 0.224, 0.225}, "each channel is divided by it");
  r.number("divisor", &I::divisor, above(0), 255, "pixels are divided by it before mean and std");
  r.flag("bgr", &I::bgr, false, "channels in the order blue, green, red");
  r.number_or_name("white", &I::white, between(1, 65535), kWhites, kFullRange,
                   "or the sample that becomes 255 in pictures of more than 8 bits (docs/formats.md)")
      .later = true;
  r.number("tile", &I::tile, between(0, kLongestSide), 0,
           "pictures are cut into squares of so many pixels; 0: not at all")
      .later = true;
  r.number("tile_overlap", &I::tile_overlap, between(0, 0.9), 0.2,
           "of neighbouring tiles, at least, as a share of their side")
      .later = true;
  r.flag("tile_whole", &I::tile_whole, false, "whole pictures are looked at as well as their tiles").later = true;
}

void add_augment(const Rows<Config::Augment>& r) {
  using A = Config::Augment;
  r.number("flip", &A::flip, between(0, 1), 0.5, "probability of a horizontal flip");
  r.number("vertical_flip", &A::vertical_flip, between(0, 1), 0, "probability of a flip upside down").later = true;
  r.number("turn", &A::turn, between(0, 1), 0, "probability of a turn by 90, 180 or 270 degrees").later = true;
  r.number("scale_min", &A::scale_min, above(0), 1, "scale jitter: least factor");
  r.number("scale_max", &A::scale_max, above(0), 1, "scale jitter: greatest factor");
  r.number("crop", &A::crop, between(0, 1), 0, "probability of a random crop");
  r.number("crop_min", &A::crop_min, {.lowest = 0, .highest = 1, .with_lowest = false}, 0.5,
           "sides of a crop, at least, as a share of the picture's");
  r.number("brightness", &A::brightness, between(0, 1), 0, "factor from [1 - v, 1 + v], drawn for each picture");
  r.number("contrast", &A::contrast, between(0, 1), 0, "factor from [1 - v, 1 + v]");
  r.number("saturation", &A::saturation, between(0, 1), 0, "factor from [1 - v, 1 + v]");
  r.number("hue", &A::hue, between(0, 1), 0, "colours are turned by up to so many turns either way");
  r.number("ramp_epochs", &A::ramp_epochs, at_least(0), 0,
           "in which scale jitter, crops and colours reach these values; 0: at once")
      .later = true;
}

void add_train(const Rows<Config::Train>& r) {
  using T = Config::Train;
  const Range below_one{.lowest = 0, .highest = 1, .with_highest = false};
  r.number("iterations", &T::iterations, at_least(1), 190596, "steps, the length of the schedule");
  r.number("minutes", &T::minutes, at_least(0), 0, "wall time that fixes iterations at the start; 0: none").later =
      true;
  r.number("patience", &T::patience, at_least(0), 0, "evaluations without a better AP that end a stage; 0: none")
      .later = true;
  r.number("stop_at", &T::stop_at, at_least(0), 0, "end early, as Ctrl-C would; 0: never");
  r.number("batch_size", &T::batch_size, between(1, kMostPictures), 16, "pictures");
  r.number("shards", &T::shards, between(1, kMostPictures), 1, "parts of a batch (docs/scaling.md)").later = true;
  r.choice("wire", &T::wire, kPrecisions, DType::f32, "gradients of shards are rounded to it (docs/scaling.md)").later =
      true;
  r.number("accumulate", &T::accumulate, between(1, kMostPictures), 1, "batches per step");
  r.choice("optimizer", &T::optimizer, kOptimizers, OptimizerKind::sgd, "SGD with momentum, or AdamW").later = true;
  r.number("lr", &T::lr, at_least(0), 0.01, "learning rate");
  r.number("momentum", &T::momentum, below_one, 0.9, "of SGD");
  r.flag("nesterov", &T::nesterov, false, "Nesterov's momentum");
  r.number("beta1", &T::beta1, below_one, 0.9, "of AdamW: decay of the average of gradients").later = true;
  r.number("beta2", &T::beta2, below_one, 0.999, "of AdamW: decay of the average of their squares").later = true;
  r.number("epsilon", &T::epsilon, above(0), 1e-8, "of AdamW: added to the root of that average").later = true;
  r.number("weight_decay", &T::weight_decay, at_least(0), 0.0001, "of convolutions' weights");
  r.number("norm_decay", &T::norm_decay, at_least(0), 0.0001, "of norms' gamma and beta");
  r.number("bias_decay", &T::bias_decay, at_least(0), 0.0001, "of biases");
  r.choice("schedule", &T::schedule, kSchedules, Schedule::Kind::multistep, "of the learning rate");
  r.list("milestones", &T::milestones, kAnyLength, between(0, 1), {0.6153846, 0.8461538},
         "of multistep, as shares of the iterations");
  r.number("lr_gamma", &T::lr_gamma, at_least(0), 0.1, "factor of the learning rate at each milestone");
  r.number("warmup_iterations", &T::warmup_iterations, at_least(0), 1000,
           "steps in which the learning rate rises to lr");
  r.number("warmup_factor", &T::warmup_factor, at_least(0), 0.001, "share of lr that the first step has");
  r.number("clip_norm", &T::clip_norm, at_least(0), 0, "gradients are scaled down to this norm; 0: never");
  r.number("average", &T::average, below_one, 0, "decay of the weights' moving average, which is evaluated; 0: none");
  r.number("seed", &T::seed, any_number(), 0, "of weights, data order and augmentation");
  r.choice("precision", &T::precision, kPrecisions, DType::f32, "of activations; bf16 is for GPUs (docs/precision.md)");
  r.flag("cuda_graph", &T::cuda_graph, false, "a step as one CUDA graph, with --device cuda (docs/cuda_graph.md)");
  r.number("evaluate_every", &T::evaluate_every, at_least(0), 7331, "iterations; 0: only at the end");
  r.number("save_every", &T::save_every, at_least(0), 1000, "iterations; 0: only at the end");
  r.number("log_every", &T::log_every, at_least(0), 20, "iterations; 0: only at the end");
  r.number("pictures", &T::pictures, at_least(0), 8, "validation pictures drawn after each evaluation");
  r.flag("tensorboard", &T::tensorboard, false, "event files for TensorBoard in RUN/tensorboard").later = true;
  r.number("workers", &T::workers, between(0, 256), 2, "loader threads");
  r.number("cache_mib", &T::cache_mib, at_least(0), 0, "memory for decoded pictures, in MiB");
  r.number("repeat_threshold", &T::repeat_threshold, below_one, 0,
           "share of pictures below which a class's are repeated; 0: none (docs/class_balance.md)")
      .later = true;
}

void add_detect(const Rows<Config::Detect>& r) {
  using D = Config::Detect;
  r.number("score_threshold", &D::score_threshold, {.lowest = 0, .highest = 1, .with_highest = false}, 0.05,
           "detections with a lower score are dropped");
  r.number("top_k", &D::top_k, between(1, kMostFound), 1000, "candidates per image and level");
  r.number("nms_iou", &D::nms_iou, between(0, 1), 0.5, "IoU above which the detection with the lower score is dropped");
  r.flag("class_aware", &D::class_aware, true, "only detections of the same class suppress each other");
  r.number("max_detections", &D::max_detections, between(1, kMostFound), 300, "per image");
  r.flag("clip_before_nms", &D::clip_before_nms, true,
         "boxes are clipped to the picture before NMS (torchvision) or after it (Detectron2)");
  r.number("batch_size", &D::batch_size, between(1, kMostPictures), 2, "pictures, of evaluation");
  r.choice("precision", &D::precision, kPrecisions, DType::f32, "of activations");
  r.flag("cuda_graph", &D::cuda_graph, false, "as one CUDA graph, on a GPU (docs/cuda_graph.md)").later = true;
}

/// The keys of every configuration.
std::vector<Key> common_keys() {
  std::vector<Key> keys;
  add_model({"model", &Config::model, keys});
  add_anchors({"anchors", &Config::anchors, keys});
  add_match({"match", &Config::match, keys});
  add_loss({"loss", &Config::loss, keys});
  add_input({"input", &Config::input, keys});
  add_augment({"augment", &Config::augment, keys});
  add_train({"train", &Config::train, keys});
  add_detect({"detect", &Config::detect, keys});
  return keys;
}

/// Calls f(value) with the value of the loss's parameter of this name.
template <class Loss, class F>
void with_parameter(Loss& loss, const std::string& name, const F& f) {
  for_each_parameter(loss, [&](const auto& p, auto& value) {
    if (name == p.name) f(value);
  });
}

/// The parameters of a loss, which files from before them have at the loss's defaults.
std::vector<Key> parameter_keys(const AnyLoss& loss) {
  std::vector<Key> keys;
  const AnyLoss defaults = AnyLoss(loss.entry());
  for_each_parameter(defaults, [&](const auto& p, float standard) {
    const std::string name = p.name, full_name = "loss." + name;
    keys.push_back({.name = full_name,
                    .help = p.meaning,
                    .type = "number",
                    .range = range_of(p),
                    .of_loss = true,
                    .before = standard});
    keys.back().get = [name](const Config& c) {
      Value value = 0.0;
      with_parameter(c.loss.kind, name, [&](float v) { value = v; });
      return value;
    };
    keys.back().set = [name, full_name](Config& c, const Value& value, const std::string& where) {
      with_parameter(c.loss.kind, name, [&](float& v) { Reader{full_name, where}.read(value, v); });
    };
  });
  return keys;
}

}  // namespace

void Key::check(const Config& config) const {
  const auto check_number = [this](double number) {
    if (!range.has(number)) throw ConfigError(name, "", name + " " + range.rule(number));
  };
  const Value value = get(config);
  if (const auto* number = std::get_if<double>(&value.of)) check_number(*number);
  if (const auto* integer = std::get_if<std::int64_t>(&value.of)) check_number(static_cast<double>(*integer));
  const auto* list = std::get_if<Value::List>(&value.of);
  if (!list) return;
  if (list->size() < least || list->size() > most) {
    throw ConfigError(
        name, "",
        name + (least == most ? " must have " + std::to_string(least) + " values" : std::string(" must not be empty")));
  }
  for (const Value& element : *list) {
    const auto* number = std::get_if<double>(&element.of);
    check_number(number ? *number : static_cast<double>(std::get<std::int64_t>(element.of)));
  }
}

std::string Key::values() const {
  if (type == "name") return join(choices);
  const std::string of_each = range.text();
  return (choices.empty() ? "" : join(choices) + ", ") + type +
         (least == most ? " (" + std::to_string(least) + ")" : "") + (of_each.empty() ? "" : ", " + of_each);
}

const std::vector<Key>& keys_with(const AnyLoss& loss) {
  static const std::vector<std::vector<Key>> of_losses = [] {
    std::vector<std::vector<Key>> all;
    for (const AnyLoss& of : all_losses()) {
      std::vector<Key> keys = common_keys();
      const std::vector<Key> parameters = parameter_keys(of);
      const auto kind = std::find_if(keys.begin(), keys.end(), [](const Key& key) { return key.name == kLossKey; });
      keys.insert(kind + 1, parameters.begin(), parameters.end());
      all.push_back(std::move(keys));
    }
    return all;
  }();
  return of_losses[loss.index()];
}

Config config_before_all_keys() {
  static const Config before = [] {
    Config config{};
    for (const Key& key : common_keys()) key.set(config, key.before, key.name);
    return config;
  }();
  return before;
}

}  // namespace diopter
