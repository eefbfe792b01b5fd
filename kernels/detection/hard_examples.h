// Hard examples of each image: the anchors with the highest loss that do not overlap (online hard example mining:
// Shrivastava et al. 2016, section 4; for one-stage detectors Lin et al. 2017, section 5.1 and table 1d).
//
//   1. anchor_scores: score(anchor) = log(sum over classes k of loss(x, k == label)), at k == label times the class's
//      weight where there are any; ignored anchors have none
//   2. top_k, decode_candidates: the rule's `candidates` best of each level, with the boxes predicted for them
//   3. batched_nms: suppression of those that overlap a better one, whatever their classes
//   4. select_hard_examples: of the survivors in order of their scores
//        the first `batch`; or, with r = negatives_per_positive > 0,
//        the first p = min(batch / (1 + r), all) positives and the first r max(p, 1) negatives
//      Selected anchors keep their labels, all others become kIgnore.
//
// The logarithm changes no order and spreads scores as top_k's histogram likes them. A loss of 0 is never selected; a
// NaN counts as infinite, so that it is selected and noticed. Given equal scores and boxes both devices select the
// same. Start here: kernels/plain/hard_examples.h.
#pragma once

#include "kernels/base/least_work.h"
#include "kernels/detection/anchors.h"
#include "kernels/detection/head.h"
#include "kernels/detection/pointwise_loss.h"

namespace diopter {

template <class T>
struct AnchorScoreArgs {
  HeadLevels<T> logits;        // channels = classes >= 1; gradient is not used
  const std::int32_t* labels;  // [images, logits.anchors()]: class < channels, kBackground or kIgnore
  float* scores;               // level after level [images, pixels, cells], as a head with one channel per anchor
  const float* class_weights = nullptr;  // as in ClassificationLossArgs
};

struct HardExampleArgs {
  AnchorGrid grid;
  int images;
  HardExampleRule rule;
  const std::int32_t* labels;  // [images, grid.size()]
  int k;
  const std::int32_t* indices;  // [images, grid.levels, k] from top_k of the scores: anchors, counted within the level
  const std::int32_t* counts;   // [images, grid.levels]
  int max_kept;                 // >= hard_examples_kept
  const std::int32_t* keep;     // [images, max_kept] from batched_nms of the decoded candidates
  const std::int32_t* kept;     // [images]
  std::int32_t* selected_labels;  // [images, grid.size()], overwritten; not `labels`
  std::int32_t* selected;         // [images], overwritten: anchors with label != kIgnore
  std::int32_t* positives;        // [images], overwritten: anchors with label >= 0
};

/// How many survivors of `capacity` candidates the selection must know.
inline int hard_examples_kept(const HardExampleRule& rule, int capacity) {
  return rule.negatives_per_positive > 0 || capacity < rule.batch ? capacity : rule.batch;
}

struct HardExampleQuota {
  int positives, negatives;  // at most
};

DIOPTER_HD inline HardExampleQuota hard_example_quota(const HardExampleRule& rule, int surviving_positives) {
  const int ratio = rule.negatives_per_positive;
  if (ratio == 0) return {rule.batch, rule.batch};  // no more survive
  const int most = rule.batch / (1 + ratio), positives = surviving_positives < most ? surviving_positives : most;
  return {positives, ratio * (positives > 1 ? positives : 1)};
}

/// The anchor, counted within the image, of the candidate at `place` of those that decode_candidates laid in a row.
DIOPTER_HD inline std::int64_t anchor_of_candidate(const HardExampleArgs& args, int image, int place) {
  const std::int64_t first = std::int64_t{image} * args.grid.levels;
  int l = 0;
  for (; place >= args.counts[first + l]; ++l) place -= args.counts[first + l];
  return args.grid.level_offset(l) + args.indices[(first + l) * args.k + place];
}

}  // namespace diopter

DIOPTER_KERNEL(template <class T> void anchor_scores(const AnchorScoreArgs<T>& args, const AnyLoss& loss);
               void select_hard_examples(const HardExampleArgs& args))

namespace diopter::least_work {

/// Logits and labels are read, a score is written for each anchor.
template <class T>
LeastWork anchor_scores(const AnchorScoreArgs<T>& args, const AnyLoss&) {
  const std::int64_t anchors = args.logits.images * args.logits.anchors();
  return {.bytes = passes<T>(1, anchors * args.logits.channels).bytes + passes<float>(2, anchors).bytes};
}
/// The labels of the anchors that are not selected are written.
inline LeastWork select_hard_examples(const HardExampleArgs& args) {
  return passes<std::int32_t>(1, args.images * args.grid.size());
}

}  // namespace diopter::least_work
