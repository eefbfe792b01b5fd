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

/// Objects and detections of a category lie anywhere in memory: this many before its turn each is brought into the
/// cache.
constexpr std::size_t kAhead = 16;

/// An annotation of one category.
struct TruthInImage {
  int image;     // rank by ascending id
  int position;  // among the image's annotations
  const Annotation* item;
};

/// Ground truth and detections by category.
struct Inputs {
  std::vector<std::vector<TruthInImage>> truths;  // [category], by image
  std::vector<std::int32_t> image_of;             // of each detection in the list: the image's rank
  std::vector<std::int32_t> detections;           // positions in the list, by category, image and position
  std::vector<std::size_t> first;                 // [category + 1], in `detections`
};

/// Matches the detections of one category, image by image, for all areas and thresholds.
class CategoryMatcher {
 public:
  using Truths = std::span<const TruthInImage>;
  using Positions = std::span<const std::int32_t>;

  CategoryMatcher(const std::vector<Detection>& detections, const CocoSettings& settings)
      : detections_(detections), settings_(settings), areas_(settings.areas.size()), at50_(settings.threshold(0.5)) {
    for (std::size_t t = 0; t < settings.thresholds.size(); ++t) every_threshold_ |= 1u << t;
  }

  /// Brings a detection into the cache.
  void fetch(Positions positions, std::size_t soon) const {
    if (soon >= positions.size()) return;
    const auto* const begin = reinterpret_cast<const char*>(&detections_[positions[soon]]);
    __builtin_prefetch(begin);
    __builtin_prefetch(begin + sizeof(Detection) - 1);
  }

  /// Appends an outcome and its verdicts for each of the detections of an image that count; `positions` are sorted by
  /// descending score. Returns whether some do not count.
  bool match(Truths truths, int image, std::span<std::int32_t> positions, CategoryMatches& matches) {
    std::sort(positions.begin(), positions.end(), [&](std::int32_t a, std::int32_t b) {
      const double left = detections_[a].score, right = detections_[b].score;
      return left > right || (left == right && a < b);
    });
    const std::size_t count = std::min<std::size_t>(positions.size(), settings_.max_detections.back());
    for (std::size_t d = 0; d < count; ++d) {
      const Rect& rect = detections_[positions[d]].rect;
      matches.outcomes.push_back({detections_[positions[d]].score, image, positions[d], static_cast<int>(d), -1});
      for (const AreaRange& area : settings_.areas) {
        matches.verdicts.push_back({.hits = 0, .ignored = area.contains(rect.w * rect.h) ? 0 : every_threshold_});
      }
    }
    if (!truths.empty()) {
      truths_ = truths;
      find_overlaps(positions.first(count));
      outcomes_ = std::span(matches.outcomes).last(count);
      verdicts_ = std::span(matches.verdicts).last(count * areas_);
      for (std::size_t a = 0; a < areas_ && !near_.empty(); ++a) {
        order_truths(settings_.areas[a]);
        for (int t = 0; t < static_cast<int>(settings_.thresholds.size()); ++t) match_at(a, t);
      }
    }
    return count < positions.size();
  }

 private:
  /// Overlaps of all pairs, and the detections that reach the lowest threshold with any object: the others match
  /// nothing at any threshold, and their verdicts stand.
  void find_overlaps(Positions positions) {
    overlaps_.resize(truths_.size() * positions.size());
    near_.clear();
    const double lowest = matching_threshold(0);
    for (std::size_t d = 0; d < positions.size(); ++d) {
      double largest = 0;
      for (std::size_t g = 0; g < truths_.size(); ++g) {
        const Annotation& truth = *truths_[g].item;
        const double overlap = coco_overlap(detections_[positions[d]].rect, truth.rect, truth.crowd);
        overlaps_[d * truths_.size() + g] = overlap;
        largest = std::max(largest, overlap);
      }
      if (largest >= lowest) near_.push_back(d);
    }
  }

  double matching_threshold(int t) const { return std::min(settings_.thresholds[t], 1 - 1e-10); }

  /// Ground truths that count first, then the ignored ones, each in file order.
  void order_truths(const AreaRange& range) {
    order_.clear();
    const auto counts = [&](const TruthInImage& truth) {
      return !truth.item->crowd && range.contains(truth.item->area);
    };
    for (const bool wanted : {true, false}) {
      if (!wanted) real_ = order_.size();
      for (std::size_t g = 0; g < truths_.size(); ++g) {
        if (counts(truths_[g]) == wanted) order_.push_back(static_cast<int>(g));
      }
    }
  }

  void match_at(std::size_t a, int t) {
    const std::uint32_t bit = 1u << t;
    taken_.assign(truths_.size(), false);
    for (const std::size_t d : near_) {
      const double* overlaps = overlaps_.data() + d * truths_.size();
      int best = best_truth(overlaps, matching_threshold(t), 0, real_);
      const bool ignored = best < 0;
      if (ignored) best = best_truth(overlaps, matching_threshold(t), real_, order_.size());
      if (best < 0) continue;
      taken_[best] = true;
      Verdict& verdict = verdicts_[d * areas_ + a];
      // The reference stores the id of the match, where 0 means "none": the detection's own area then decides.
      const bool hit = truths_[best].item->id != 0;
      if (ignored) verdict.ignored |= bit;
      if (hit && !ignored) {
        verdict.hits |= bit;
        verdict.ignored &= ~bit;
      }
      if (a == kAll && t == at50_) outcomes_[d].truth = truths_[best].position;
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

  const std::vector<Detection>& detections_;
  const CocoSettings& settings_;
  const std::size_t areas_;
  const int at50_;
  std::uint32_t every_threshold_ = 0;

  // Of the image at hand.
  Truths truths_;
  std::span<Outcome> outcomes_;
  std::span<Verdict> verdicts_;    // [detection][area]
  std::vector<double> overlaps_;   // [detection][truth]
  std::vector<std::size_t> near_;  // detections that can match
  std::vector<int> order_;
  std::size_t real_ = 0;  // how many of order_ are not ignored
  std::vector<char> taken_;
};

/// Puts the outcomes and their verdicts into their order, stably.
void sort_by_score(CategoryMatches& matches, std::size_t areas) {
  struct Key {
    double score;
    std::size_t position;
  };
  std::vector<Key> keys(matches.outcomes.size());
  for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = {matches.outcomes[i].score, i};
  std::sort(keys.begin(), keys.end(), [](const Key& a, const Key& b) {
    return a.score > b.score || (a.score == b.score && a.position < b.position);
  });
  std::vector<Outcome> outcomes;
  std::vector<Verdict> verdicts;
  outcomes.reserve(keys.size());
  verdicts.reserve(keys.size() * areas);
  for (const Key& key : keys) {
    outcomes.push_back(matches.outcomes[key.position]);
    const auto first = matches.verdicts.begin() + static_cast<std::ptrdiff_t>(key.position * areas);
    verdicts.insert(verdicts.end(), first, first + static_cast<std::ptrdiff_t>(areas));
  }
  matches.outcomes = std::move(outcomes);
  matches.verdicts = std::move(verdicts);
}

/// Objects that count, image by image and in sum.
void count_objects(const std::vector<TruthInImage>& truths, const CocoSettings& settings, CategoryMatches& matches) {
  matches.total.resize(settings.areas.size());
  for (std::size_t i = 0; i < truths.size(); ++i) {
    const TruthInImage& truth = truths[i];
    if (i + kAhead < truths.size()) __builtin_prefetch(truths[i + kAhead].item);
    if (matches.objects.empty() || matches.objects.back().image != truth.image) {
      matches.objects.push_back({truth.image, 0});
    }
    for (std::size_t a = 0; a < settings.areas.size(); ++a) {
      const bool counts = !truth.item->crowd && settings.areas[a].contains(truth.item->area);
      if (a == kAll) matches.objects.back().count += counts;
      matches.total[a] += counts;
    }
  }
}

/// All of a category; the images whose detections are cut go to `cut`.
void match_category(std::span<std::int32_t> positions, const Inputs& inputs, const std::vector<TruthInImage>& truths,
                    CategoryMatcher& matcher, std::size_t areas, CategoryMatches& matches,
                    std::vector<std::int32_t>& cut) {
  matches.outcomes.reserve(positions.size());
  matches.verdicts.reserve(positions.size() * areas);
  auto truth = truths.begin();
  for (std::size_t begin = 0, end = 0; begin < positions.size(); begin = end) {
    const std::int32_t image = inputs.image_of[positions[begin]];
    for (; end < positions.size() && inputs.image_of[positions[end]] == image; ++end)
      matcher.fetch(positions, end + kAhead);
    while (truth != truths.end() && truth->image < image) ++truth;
    auto truth_end = truth;
    while (truth_end != truths.end() && truth_end->image == image) ++truth_end;
    if (matcher.match({truth, truth_end}, image, positions.subspan(begin, end - begin), matches)) cut.push_back(image);
  }
  sort_by_score(matches, areas);
}

/// Positions of [0, keys.size()) in ascending order of their keys, which are below `limit` or -1 (left out); the order
/// of `positions` is kept among equal keys. Where each key's begin is returned, too.
struct Sorted {
  std::vector<std::int32_t> positions;
  std::vector<std::size_t> first;  // [limit + 1]
};
Sorted counting_sort(const std::vector<std::int32_t>& positions, const std::vector<std::int32_t>& keys,
                     std::size_t limit) {
  Sorted sorted{{}, std::vector<std::size_t>(limit + 1)};
  for (const std::int32_t p : positions) {
    if (keys[p] >= 0) ++sorted.first[static_cast<std::size_t>(keys[p]) + 1];
  }
  std::partial_sum(sorted.first.begin(), sorted.first.end(), sorted.first.begin());
  sorted.positions.resize(sorted.first.back());
  std::vector<std::size_t> next = sorted.first;
  for (const std::int32_t p : positions) {
    if (keys[p] >= 0) sorted.positions[next[keys[p]]++] = p;
  }
  return sorted;
}

Inputs sort_by_category(const Dataset& truth, const std::vector<Detection>& detections, CocoMatches& matches) {
  matches.images.resize(truth.images.size());
  std::iota(matches.images.begin(), matches.images.end(), 0);
  std::sort(matches.images.begin(), matches.images.end(),
            [&](int a, int b) { return truth.images[a].id < truth.images[b].id; });

  Inputs inputs;
  inputs.truths.resize(truth.categories.size());
  std::vector<std::int64_t> image_ids;  // by rank
  image_ids.reserve(truth.images.size());
  bool id_zero = false;
  for (const int image : matches.images) {
    const int rank = static_cast<int>(image_ids.size());
    image_ids.push_back(truth.images[image].id);
    int position = 0;
    for (const Annotation& annotation : truth.images[image].annotations) {
      inputs.truths[annotation.category].push_back({rank, position++, &annotation});
      id_zero |= annotation.id == 0;
    }
  }
  const IdIndex ranks(image_ids), categories = index_by_id(truth.categories);
  inputs.image_of.resize(detections.size());
  std::vector<std::int32_t> category_of(detections.size()), positions(detections.size());
  std::iota(positions.begin(), positions.end(), 0);
  std::int64_t unknown = 0;
  for (std::size_t i = 0; i < detections.size(); ++i) {
    const Detection& detection = detections[i];
    inputs.image_of[i] = find_id(ranks, detection.image_id);
    category_of[i] = find_id(categories, detection.category_id);
    DIOPTER_CHECK(inputs.image_of[i] >= 0, "detection ", i, ": the ground truth has no image with id ",
                  detection.image_id);
    DIOPTER_CHECK(!std::isnan(detection.score), "detection ", i, ": the score is not a number");
    unknown += category_of[i] < 0;
  }
  const Sorted by_image = counting_sort(positions, inputs.image_of, truth.images.size());
  Sorted by_category = counting_sort(by_image.positions, category_of, truth.categories.size());
  inputs.detections = std::move(by_category.positions);
  inputs.first = std::move(by_category.first);
  if (id_zero) {
    matches.warnings.push_back(
        "an annotation has id 0: it is never matched, as in pycocotools; number them from 1 (evaluate --renumber)");
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

CocoMatches match_coco(const Dataset& truth, const std::vector<Detection>& detections, const CocoSettings& settings) {
  DIOPTER_CHECK(!settings.thresholds.empty() && settings.thresholds.size() <= kMostThresholds,
                "match_coco: ", settings.thresholds.size(), " IoU thresholds, there may be 1 to ", kMostThresholds);
  DIOPTER_CHECK(!settings.areas.empty() && !settings.max_detections.empty(), "match_coco: no areas or detections");
  CocoMatches matches{.settings = settings, .images = {}, .categories = {}, .warnings = {}};
  Inputs inputs = sort_by_category(truth, detections, matches);
  matches.categories.resize(truth.categories.size());
  std::vector<std::vector<std::int32_t>> cut(truth.categories.size());
  parallel_for(static_cast<std::int64_t>(truth.categories.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    CategoryMatcher matcher(detections, settings);
    for (std::int64_t k = begin; k < end; ++k) {
      count_objects(inputs.truths[k], settings, matches.categories[k]);
      const auto positions =
          std::span(inputs.detections).subspan(inputs.first[k], inputs.first[k + 1] - inputs.first[k]);
      match_category(positions, inputs, inputs.truths[k], matcher, settings.areas.size(), matches.categories[k],
                     cut[k]);
    }
  });
  std::vector<char> is_cut(truth.images.size());
  for (const std::vector<std::int32_t>& images : cut) {
    for (const std::int32_t image : images) is_cut[image] = true;
  }
  matches.cut_images = std::count(is_cut.begin(), is_cut.end(), true);
  return matches;
}

std::vector<ScoredDetection> counted_detections(const CategoryMatches& matches, int threshold) {
  std::vector<ScoredDetection> counted;
  for (std::size_t i = 0; i < matches.outcomes.size(); ++i) {
    const Verdict& verdict = matches.verdict(i, kAll);
    if (!verdict.is_ignored(threshold)) counted.push_back({matches.outcomes[i].score, verdict.hit(threshold)});
  }
  return counted;
}

}  // namespace diopter
