#include "data/coco_metrics.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <span>

#include "data/id_index.h"
#include "kernels/common/check.h"
#include "kernels/common/parallel.h"

namespace diopter {

namespace {

constexpr int kThresholds = 10, kRecalls = 101, kAreas = 4;
constexpr int kMaxDetections = 100;  // an image and category
constexpr std::array<int, 3> kCaps = {1, 10, kMaxDetections};

/// Numbers from start to stop at equal distances, rounded as numpy.linspace does.
template <std::size_t N>
std::array<double, N> linspace(double start, double stop) {
  std::array<double, N> values;
  const double step = (stop - start) / (N - 1);
  for (std::size_t i = 0; i + 1 < N; ++i) values[i] = static_cast<double>(i) * step + start;
  values[N - 1] = stop;
  return values;
}

const std::array<double, kThresholds> kIouThresholds = linspace<kThresholds>(0.5, 0.95);
const std::array<double, kRecalls> kRecallThresholds = linspace<kRecalls>(0.0, 1.0);

/// Sizes that count, both ends included: all, small, medium, large.
struct AreaRange {
  double low, high;
  bool contains(double area) const { return !(area < low || area > high); }
};
constexpr std::array<AreaRange, kAreas> kAreaRanges = {{{0, 1e10}, {0, 32 * 32}, {32 * 32, 96 * 96}, {96 * 96, 1e10}}};
enum Area { kAll, kSmall, kMedium, kLarge };

/// An annotation or detection of one category; `image` counts images by ascending id.
template <class T>
struct InImage {
  int image;
  const T* item;
};

struct CategoryInput {
  std::vector<InImage<Annotation>> truths;     // by image
  std::vector<InImage<Detection>> detections;  // in the order given
};

/// What became of a detection. Bit t of hit and ignored: at IoU threshold t; neither bit: a false positive.
struct Outcome {
  double score;
  int rank;  // among the detections of its image and category, best first
  std::array<std::uint16_t, kAreas> hit, ignored;
};

struct CategoryResult {
  std::array<std::int64_t, kAreas> objects{};  // that are not ignored
  std::array<std::array<std::array<double, kRecalls>, kThresholds>, kAreas> precision{};
  std::array<std::array<double, kThresholds>, kAreas> recall{};               // kMaxDetections an image
  std::array<std::array<double, kThresholds>, kCaps.size()> recall_capped{};  // all areas, by kCaps
};

/// Intersection over union; over the detection's own area where the ground truth is a crowd.
double overlap(const Rect& detection, const Rect& truth, bool crowd) {
  const double w = std::min(detection.w + detection.x, truth.w + truth.x) - std::max(detection.x, truth.x);
  const double h = std::min(detection.h + detection.y, truth.h + truth.y) - std::max(detection.y, truth.y);
  if (!(w > 0 && h > 0)) return 0;
  const double intersection = w * h, area = detection.w * detection.h;
  return intersection / (crowd ? area : area + truth.w * truth.h - intersection);
}

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
        overlaps_[d * truths.size() + g] = overlap(detections[d].item->rect, truth.rect, truth.crowd);
      }
      outcomes.push_back({.score = detections[d].item->score, .rank = static_cast<int>(d), .hit = {}, .ignored = {}});
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
      }
      const Rect& rect = detections[d].item->rect;
      if (!hit && !kAreaRanges[a].contains(rect.w * rect.h)) ignored = true;
      if (hit) outcomes[d].hit[a] |= bit;
      if (ignored) outcomes[d].ignored[a] |= bit;
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

/// Precision at the recall thresholds; returns the recall that is reached.
double precision_curve(const std::vector<Outcome>& outcomes, int a, int t, std::int64_t objects,
                       std::array<double, kRecalls>& precision) {
  // The curve has its corners at the hits: hit k (from 0) reaches recall (k + 1) / objects.
  std::vector<double> at_hit;
  std::int64_t misses = 0;
  for (const Outcome& outcome : outcomes) {
    if (outcome.ignored[a] >> t & 1) continue;
    if (outcome.hit[a] >> t & 1) {
      const double hits = static_cast<double>(at_hit.size() + 1);
      at_hit.push_back(hits / (static_cast<double>(misses) + hits + std::numeric_limits<double>::epsilon()));
    } else {
      ++misses;
    }
  }
  for (std::size_t k = at_hit.size(); k-- > 1;) at_hit[k - 1] = std::max(at_hit[k - 1], at_hit[k]);
  const auto recall = [objects](std::size_t hits) { return static_cast<double>(hits) / static_cast<double>(objects); };
  std::size_t k = 0;
  for (int r = 0; r < kRecalls; ++r) {
    while (k < at_hit.size() && recall(k + 1) < kRecallThresholds[r]) ++k;
    precision[r] = k < at_hit.size() ? at_hit[k] : 0;
  }
  return recall(at_hit.size());
}

CategoryResult evaluate_category(CategoryInput& input) {
  CategoryResult result;
  for (const auto& [image, truth] : input.truths) {
    for (int a = 0; a < kAreas; ++a) result.objects[a] += !truth->crowd && kAreaRanges[a].contains(truth->area);
  }
  if (result.objects[kAll] == 0) return result;
  const std::vector<Outcome> outcomes = match_category(input);
  for (int a = 0; a < kAreas; ++a) {
    if (result.objects[a] == 0) continue;
    for (int t = 0; t < kThresholds; ++t) {
      result.recall[a][t] = precision_curve(outcomes, a, t, result.objects[a], result.precision[a][t]);
    }
  }
  for (std::size_t c = 0; c < kCaps.size(); ++c) {
    std::array<std::int64_t, kThresholds> hits{};
    for (const Outcome& outcome : outcomes) {
      const unsigned counted = outcome.rank < kCaps[c] ? outcome.hit[kAll] & ~outcome.ignored[kAll] : 0u;
      for (int t = 0; t < kThresholds; ++t) hits[t] += counted >> t & 1;
    }
    for (int t = 0; t < kThresholds; ++t) {
      result.recall_capped[c][t] = static_cast<double>(hits[t]) / static_cast<double>(result.objects[kAll]);
    }
  }
  return result;
}

/// Sum in numpy's order, for the same rounding: eight interleaved sums over up to 128 numbers, halves beyond.
double pairwise_sum(std::span<const double> values) {
  constexpr std::size_t kLanes = 8, kBlock = 128;
  const std::size_t n = values.size();
  if (n > kBlock) {
    const std::size_t half = n / 2 - n / 2 % kLanes;
    return pairwise_sum(values.first(half)) + pairwise_sum(values.subspan(half));
  }
  double sum = 0;
  std::size_t i = 0;
  if (n >= kLanes) {
    std::array<double, kLanes> lanes{};
    for (; i + kLanes <= n; i += kLanes) {
      for (std::size_t lane = 0; lane < kLanes; ++lane) lanes[lane] += values[i + lane];
    }
    sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  }
  for (; i < n; ++i) sum += values[i];
  return sum;
}

/// -1 for no values.
double mean(std::span<const double> values) {
  return values.empty() ? -1 : pairwise_sum(values) / static_cast<double>(values.size());
}

/// IoU thresholds first <= t < last.
struct Thresholds {
  int first = 0, last = kThresholds;
};

/// Mean precision over thresholds, recalls and categories with objects, summed in that order.
double average_precision(std::span<const CategoryResult> results, Area area, Thresholds thresholds = {}) {
  std::vector<double> values;
  for (int t = thresholds.first; t < thresholds.last; ++t) {
    for (int r = 0; r < kRecalls; ++r) {
      for (const CategoryResult& result : results) {
        if (result.objects[area] > 0) values.push_back(result.precision[area][t][r]);
      }
    }
  }
  return mean(values);
}

/// Mean of recall(result)[t] over thresholds and categories with objects, summed in that order.
template <class Recall>
double average_recall(std::span<const CategoryResult> results, Area area, const Recall& recall) {
  std::vector<double> values;
  for (int t = 0; t < kThresholds; ++t) {
    for (const CategoryResult& result : results) {
      if (result.objects[area] > 0) values.push_back(recall(result)[t]);
    }
  }
  return mean(values);
}

std::vector<CategoryInput> sort_by_category(const Dataset& truth, const std::vector<Detection>& detections,
                                            std::vector<std::string>& warnings) {
  std::vector<const ImageRecord*> images;
  for (const ImageRecord& image : truth.images) images.push_back(&image);
  std::sort(images.begin(), images.end(), [](const auto* a, const auto* b) { return a->id < b->id; });

  std::vector<CategoryInput> inputs(truth.categories.size());
  std::unordered_map<std::int64_t, int> ranks;
  bool id_zero = false;
  for (const ImageRecord* image : images) {
    const int rank = static_cast<int>(ranks.size());
    ranks.emplace(image->id, rank);
    for (const Annotation& annotation : image->annotations) {
      inputs[annotation.category].truths.push_back({rank, &annotation});
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
      inputs[category].detections.push_back({image, &detection});
    }
  }
  if (id_zero) warnings.push_back("an annotation has id 0: it is never matched, as in pycocotools; number them from 1");
  if (unknown > 0) {
    warnings.push_back("detections of categories that the ground truth does not have: " + std::to_string(unknown) +
                       ", left out");
  }
  return inputs;
}

CategoryMetrics category_metrics(const Category& category, const CategoryResult& result) {
  const std::span<const CategoryResult> one(&result, 1);
  CategoryMetrics metrics = {.id = category.id,
                             .name = category.name,
                             .ap = average_precision(one, kAll),
                             .ap_small = average_precision(one, kSmall),
                             .ap_medium = average_precision(one, kMedium),
                             .ap_large = average_precision(one, kLarge),
                             .ap_per_iou = {},
                             .ar = {},
                             .recall_per_iou = {},
                             .objects = result.objects[kAll]};
  for (int t = 0; t < kThresholds; ++t) {
    metrics.ap_per_iou[t] = average_precision(one, kAll, {t, t + 1});
    metrics.recall_per_iou[t] = metrics.objects > 0 ? result.recall[kAll][t] : -1;
  }
  for (std::size_t c = 0; c < kCaps.size(); ++c) {
    metrics.ar[c] = average_recall(one, kAll, [c](const CategoryResult& r) { return r.recall_capped[c]; });
  }
  return metrics;
}

}  // namespace

CocoMetrics coco_metrics(const Dataset& truth, const std::vector<Detection>& detections) {
  CocoMetrics metrics;
  std::vector<CategoryInput> inputs = sort_by_category(truth, detections, metrics.warnings);
  std::vector<CategoryResult> results(inputs.size());
  parallel_for(static_cast<std::int64_t>(inputs.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) results[k] = evaluate_category(inputs[k]);
  });
  const auto capped = [&results](std::size_t c) {
    return average_recall(results, kAll, [c](const CategoryResult& r) { return r.recall_capped[c]; });
  };
  const auto sized = [&results](Area area) {
    return average_recall(results, area, [area](const CategoryResult& r) { return r.recall[area]; });
  };
  constexpr int kAt75 = 5;  // threshold .75
  metrics.stats = {average_precision(results, kAll),
                   average_precision(results, kAll, {0, 1}),
                   average_precision(results, kAll, {kAt75, kAt75 + 1}),
                   average_precision(results, kSmall),
                   average_precision(results, kMedium),
                   average_precision(results, kLarge),
                   capped(0),
                   capped(1),
                   capped(2),
                   sized(kSmall),
                   sized(kMedium),
                   sized(kLarge)};
  for (std::size_t k = 0; k < results.size(); ++k) {
    metrics.per_category.push_back(category_metrics(truth.categories[k], results[k]));
  }
  return metrics;
}

std::string format_coco_metrics(const CocoMetrics& metrics) {
  struct Row {
    bool precision;
    const char *iou, *area;
    int detections;
  };
  constexpr const char* kRange = "0.50:0.95";
  constexpr std::array<Row, 12> kRows = {{{true, kRange, "all", 100},
                                          {true, "0.50", "all", 100},
                                          {true, "0.75", "all", 100},
                                          {true, kRange, "small", 100},
                                          {true, kRange, "medium", 100},
                                          {true, kRange, "large", 100},
                                          {false, kRange, "all", 1},
                                          {false, kRange, "all", 10},
                                          {false, kRange, "all", 100},
                                          {false, kRange, "small", 100},
                                          {false, kRange, "medium", 100},
                                          {false, kRange, "large", 100}}};
  std::string table;
  for (std::size_t i = 0; i < kRows.size(); ++i) {
    const Row& row = kRows[i];
    char line[128];
    std::snprintf(line, sizeof(line), " %-18s %s @[ IoU=%-9s | area=%6s | maxDets=%3d ] = %.3f\n",
                  row.precision ? "Average Precision" : "Average Recall", row.precision ? "(AP)" : "(AR)", row.iou,
                  row.area, row.detections, metrics.stats[i]);
    table += line;
  }
  return table;
}

}  // namespace diopter
