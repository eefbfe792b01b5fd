#include "data/metrics/coco_matching.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "data/readers/id_index.h"
#include "kernels/base/check.h"
#include "kernels/base/parallel.h"

namespace diopter {

namespace {

struct AreaRange {
  double low, high;
  bool contains(double area) const { return !(area < low || area > high); }
};
constexpr std::array<AreaRange, kAreas> kAreaRanges = {{{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}};

/// An annotation or detection of one category.
template <class T>
struct InImage {
  int image;     // rank by ascending id
  int position;  // among the image's annotations, or in the list of detections
  const T* item;
};

struct CategoryInput {
  std::vector<InImage<Annotation>> truths;     // by image
  std::vector<InImage<Detection>> detections;  // in the order given
};

/// Matches the detections of one image and category with its ground truth, for all areas and thresholds.
class ImageMatcher {
 public:
  using Truths = std::span<const InImage<Annotation>>;
  using Detections = std::span<const InImage<Detection>>;

  /// `detections` by descending score, at most kMaxDetections. Appends one outcome for each.
  void match(Truths truths, Detections detections, std::vector<Outcome>& outcomes) {
    truths_ = truths;
    overlaps_.resize(truths.size() * detections.size());
    for (std::size_t d = 0; d < detections.size(); ++d) {
      for (std::size_t g = 0; g < truths.size(); ++g) {
        const Annotation& truth = *truths[g].item;
        overlaps_[d * truths.size() + g] = coco_overlap(detections[d].item->rect, truth.rect, truth.crowd);
      }
      outcomes.push_back({.score = detections[d].item->score,
                          .image = detections[d].image,
                          .detection = detections[d].position,
                          .rank = static_cast<int>(d),
                          .truth = -1,
                          .hit_bits = {},
                          .ignored_bits = {}});
    }
    const std::span<Outcome> mine = std::span(outcomes).last(detections.size());
    for (int a = 0; a < kAreas; ++a) {
      order_truths(kAreaRanges[a]);
      for (int t = 0; t < kThresholds; ++t) match_at(a, t, detections, mine);
    }
  }

 private:
  /// Ground truths that count first, then the ignored ones, each in file order.
  void order_truths(const AreaRange& range) {
    order_.resize(truths_.size());
    for (std::size_t g = 0; g < order_.size(); ++g) order_[g] = static_cast<int>(g);
    const auto counts = [&](int g) { return !truths_[g].item->crowd && range.contains(truths_[g].item->area); };
    real_ = std::stable_partition(order_.begin(), order_.end(), counts) - order_.begin();
  }

  void match_at(int a, int t, Detections detections, std::span<Outcome> outcomes) {
    const auto bit = static_cast<std::uint16_t>(1u << t);
    taken_.assign(truths_.size(), false);
    for (std::size_t d = 0; d < detections.size(); ++d) {
      const double* overlaps = overlaps_.data() + d * truths_.size();
      const double threshold = std::min(kIouThresholds[t], 1 - 1e-10);
      bool ignored = false, hit = false;
      int best = best_truth(overlaps, threshold, 0, real_);
      if (best < 0) {
        best = best_truth(overlaps, threshold, real_, order_.size());
        ignored = best >= 0;
      }
      if (best >= 0) {
        taken_[best] = true;
        hit = truths_[best].item->id != 0;  // the reference stores the id, where 0 means "none"
        if (a == kAll && t == kAt50) outcomes[d].truth = truths_[best].position;
      }
      const Rect& rect = detections[d].item->rect;
      if (!hit && !kAreaRanges[a].contains(rect.w * rect.h)) ignored = true;
      if (hit) outcomes[d].hit_bits[a] |= bit;
      if (ignored) outcomes[d].ignored_bits[a] |= bit;
    }
  }

  /// Of order_[first, last), the free ground truth of largest overlap, at least `threshold`; the last one on ties; -1
  /// if there is none. A crowd is always free.
  int best_truth(const double* overlaps, double threshold, std::size_t first, std::size_t last) const {
    int best = -1;
    for (std::size_t i = first; i < last; ++i) {
      const int g = order_[i];
      if (overlaps[g] < threshold || (taken_[g] && !truths_[g].item->crowd)) continue;
      threshold = overlaps[g];
      best = g;
    }
    return best;
  }

  Truths truths_;
  std::vector<double> overlaps_;  // [detection][truth]
  std::vector<int> order_;
  std::size_t real_ = 0;  // how many of order_ are not ignored
  std::vector<char> taken_;
};

/// Outcomes of all detections of a category by descending score; on ties by image, then rank.
std::vector<Outcome> match_category(CategoryInput& input) {
  std::stable_sort(input.detections.begin(), input.detections.end(), [](const auto& a, const auto& b) {
    return a.image != b.image ? a.image < b.image : a.item->score > b.item->score;
  });
  std::vector<Outcome> outcomes;
  outcomes.reserve(input.detections.size());
  ImageMatcher matcher;
  auto truth = input.truths.begin();
  for (auto first = input.detections.begin(); first != input.detections.end();) {
    const int image = first->image;
    const auto elsewhere = [image](const auto& entry) { return entry.image != image; };
    const auto last = std::find_if(first, input.detections.end(), elsewhere);
    truth = std::find_if(truth, input.truths.end(), [image](const auto& entry) { return entry.image >= image; });
    const auto truth_end = std::find_if(truth, input.truths.end(), elsewhere);
    const auto kept = last - first > kMaxDetections ? first + kMaxDetections : last;
    matcher.match({truth, truth_end}, {first, kept}, outcomes);
    first = last;
  }
  std::stable_sort(outcomes.begin(), outcomes.end(),
                   [](const Outcome& a, const Outcome& b) { return a.score > b.score; });
  return outcomes;
}

/// Objects that count, image by image and in sum.
void count_objects(const std::vector<InImage<Annotation>>& truths, CategoryMatches& matches) {
  for (const InImage<Annotation>& truth : truths) {
    if (matches.objects.empty() || matches.objects.back().image != truth.image) {
      matches.objects.push_back({truth.image, {}});
    }
    for (int a = 0; a < kAreas; ++a) {
      const bool counts = !truth.item->crowd && kAreaRanges[a].contains(truth.item->area);
      matches.objects.back().count[a] += counts;
      matches.total[a] += counts;
    }
  }
}

std::vector<CategoryInput> sort_by_category(const Dataset& truth, const std::vector<Detection>& detections,
                                            CocoMatches& matches) {
  matches.images.resize(truth.images.size());
  std::iota(matches.images.begin(), matches.images.end(), 0);
  std::sort(matches.images.begin(), matches.images.end(),
            [&](int a, int b) { return truth.images[a].id < truth.images[b].id; });

  std::vector<CategoryInput> inputs(truth.categories.size());
  IdIndex ranks;
  bool id_zero = false;
  for (const int image : matches.images) {
    const int rank = static_cast<int>(ranks.size());
    ranks.emplace(truth.images[image].id, rank);
    int position = 0;
    for (const Annotation& annotation : truth.images[image].annotations) {
      inputs[annotation.category].truths.push_back({rank, position++, &annotation});
      id_zero |= annotation.id == 0;
    }
  }
  const auto categories = index_by_id(truth.categories);
  std::size_t unknown = 0;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const Detection& detection = detections[i];
    const int image = find_id(ranks, detection.image_id), category = find_id(categories, detection.category_id);
    DIOPTER_CHECK(image >= 0, "detection ", i, ": the ground truth has no image with id ", detection.image_id);
    DIOPTER_CHECK(!std::isnan(detection.score), "detection ", i, ": the score is not a number");
    if (category < 0) {
      ++unknown;
    } else {
      inputs[category].detections.push_back({image, static_cast<int>(i), &detection});
    }
  }
  if (id_zero) {
    matches.warnings.push_back("an annotation has id 0: it is never matched, as in pycocotools; number them from 1");
  }
  if (unknown > 0) {
    matches.warnings.push_back(
        "detections of categories that the ground truth does not have: " + std::to_string(unknown) + ", left out");
  }
  return inputs;
}

}  // namespace

double coco_overlap(const Rect& detection, const Rect& truth, bool crowd) {
  const double w = std::min(detection.w + detection.x, truth.w + truth.x) - std::max(detection.x, truth.x);
  const double h = std::min(detection.h + detection.y, truth.h + truth.y) - std::max(detection.y, truth.y);
  if (!(w > 0 && h > 0)) return 0;
  const double intersection = w * h, area = detection.w * detection.h;
  return intersection / (crowd ? area : area + truth.w * truth.h - intersection);
}

CocoMatches match_coco(const Dataset& truth, const std::vector<Detection>& detections) {
  CocoMatches matches;
  std::vector<CategoryInput> inputs = sort_by_category(truth, detections, matches);
  matches.categories.resize(inputs.size());
  parallel_for(static_cast<std::int64_t>(inputs.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) {
      count_objects(inputs[k].truths, matches.categories[k]);
      matches.categories[k].outcomes = match_category(inputs[k]);
    }
  });
  return matches;
}

}  // namespace diopter
