// Names that values of enums have in files and on the command line.
#pragma once

#include <cstddef>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "data/pictures/augment.h"
#include "engine/dtype.h"
#include "engine/norm_kind.h"
#include "engine/schedule.h"
#include "kernels/base/check.h"
#include "kernels/base/text.h"
#include "kernels/detection/box_loss.h"
#include "kernels/detection/loss_scale.h"
#include "kernels/detection/match.h"

namespace diopter {

/// Input of the first pyramid level beyond the backbone's.
enum class P6Source { c5, p5 };
/// Coordinates of anchors: as they are computed, or as torchvision's, whose sizes are truncated and corners rounded.
enum class AnchorRounding { none, torchvision };
/// Which of the anchors of a pixel are neighbours: those of one ratio (torchvision) or of one scale (Detectron2).
enum class AnchorOrder { ratio_major, scale_major };
/// Distance of anchors: 2^level, or padded size / grid size, floored (torchvision).
enum class AnchorStride { fixed, grid };

/// What moves the weights (engine/optimizer.h).
enum class OptimizerKind { sgd, adamw };

/// Initial probability of a positive: numbers, what balances the gradients of positives and negatives at the start of
/// training, or each class's share of the anchors (retinanet/doctor/prior.h finds the numbers of the last two).
enum class PriorRule { stated, balance, data };

/// Weights of the classes' positives: numbers, none, or what the training set's boxes say (docs/class_balance.md).
enum class ClassWeightRule { stated, none, balanced, effective };

template <class E>
struct Named {
  E value;
  const char* name;
};

inline constexpr Named<NormKind> kBackboneNorms[] = {{NormKind::batch, "batch"},
                                                     {NormKind::sync_batch, "sync_batch"},
                                                     {NormKind::frozen_batch, "frozen_batch"},
                                                     {NormKind::group, "group"}};
inline constexpr Named<NormKind> kHeadNorms[] = {{NormKind::none, "none"}, {NormKind::group, "group"}};
/// Of the rules that find the numbers.
inline constexpr Named<PriorRule> kPriorRules[] = {{PriorRule::balance, "balance"}, {PriorRule::data, "data"}};
inline constexpr Named<ClassWeightRule> kClassWeightRules[] = {{ClassWeightRule::none, "none"},
                                                               {ClassWeightRule::balanced, "balanced"},
                                                               {ClassWeightRule::effective, "effective"}};
inline constexpr Named<P6Source> kP6Sources[] = {{P6Source::c5, "c5"}, {P6Source::p5, "p5"}};
inline constexpr Named<AnchorRounding> kAnchorRoundings[] = {{AnchorRounding::none, "none"},
                                                             {AnchorRounding::torchvision, "torchvision"}};
inline constexpr Named<AnchorOrder> kAnchorOrders[] = {{AnchorOrder::ratio_major, "ratio_major"},
                                                       {AnchorOrder::scale_major, "scale_major"}};
inline constexpr Named<AnchorStride> kAnchorStrides[] = {{AnchorStride::fixed, "fixed"}, {AnchorStride::grid, "grid"}};
inline constexpr Named<MatchKind> kMatchKinds[] = {{MatchKind::iou, "iou"}, {MatchKind::atss, "atss"}};
inline constexpr Named<LossNormaliser> kLossNormalisers[] = {
    {LossNormaliser::image, "image"}, {LossNormaliser::batch, "batch"}, {LossNormaliser::ema, "ema"}};
inline constexpr Named<BoxLoss> kBoxLosses[] = {{BoxLoss::l1, "l1"},
                                                {BoxLoss::smooth_l1, "smooth_l1"},
                                                {BoxLoss::giou, "giou"},
                                                {BoxLoss::diou, "diou"},
                                                {BoxLoss::ciou, "ciou"}};
inline constexpr Named<ResizeRule::Kind> kResizes[] = {{ResizeRule::Kind::shorter_side, "shorter_side"},
                                                       {ResizeRule::Kind::longer_side, "longer_side"},
                                                       {ResizeRule::Kind::exact, "exact"}};
inline constexpr Named<ResizeRule::Filter> kResizeFilters[] = {{ResizeRule::Filter::bilinear, "bilinear"},
                                                               {ResizeRule::Filter::pillow, "pillow"}};
inline constexpr Named<OptimizerKind> kOptimizers[] = {{OptimizerKind::sgd, "sgd"}, {OptimizerKind::adamw, "adamw"}};
inline constexpr Named<Schedule::Kind> kSchedules[] = {{Schedule::Kind::constant, "constant"},
                                                       {Schedule::Kind::multistep, "multistep"},
                                                       {Schedule::Kind::cosine, "cosine"}};
/// input.white where it is no number: chosen by the training set's pictures, or the most that a file can hold.
inline constexpr int kAutoWhite = -1;
inline constexpr Named<int> kWhites[] = {{kAutoWhite, "auto"}, {kFullRange, "full"}};
/// loss.classification_weight where it is no number: the classification loss gets the value of the box loss.
inline constexpr double kGuidedWeight = std::numeric_limits<double>::infinity();
inline constexpr Named<double> kClassificationWeights[] = {{kGuidedWeight, "guided"}};
/// Of activations and of the copies of the weights that steps work with.
inline constexpr Named<DType> kPrecisions[] = {{DType::f32, "float"}, {DType::bf16, "bf16"}};

template <class E, std::size_t N>
std::vector<std::string> names_in(const Named<E> (&names)[N]) {
  std::vector<std::string> all;
  for (const Named<E>& n : names) all.push_back(n.name);
  return all;
}

/// The name of a value; throws Error when the table does not have it.
template <class E, std::size_t N>
std::string name_of(const Named<E> (&names)[N], E value) {
  for (const Named<E>& n : names) {
    if (n.value == value) return n.name;
  }
  fail("a value without a name: ", static_cast<int>(value));
}

/// The value of a name; nothing when the table does not have it.
template <class E, std::size_t N>
std::optional<E> find_value(const Named<E> (&names)[N], const std::string& name) {
  for (const Named<E>& n : names) {
    if (name == n.name) return n.value;
  }
  return std::nullopt;
}

/// The same; throws Error "WHAT must be one of ..." where there is no such name.
template <class E, std::size_t N>
E value_of(const Named<E> (&names)[N], const std::string& name, const std::string& what) {
  const std::optional<E> value = find_value(names, name);
  DIOPTER_CHECK(value, what, " must be one of ", join(names_in(names)));
  return *value;
}

}  // namespace diopter
