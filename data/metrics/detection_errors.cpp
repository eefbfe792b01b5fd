#include "data/metrics/detection_errors.h"

#include <algorithm>
#include <iterator>
#include <span>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"

namespace diopter {

namespace {

/// A detection that matches nothing.
struct FalsePositive {
  double score;
  int image, detection, category;
  int order;  // of the outcome among those of its category
  ErrorKind kind = kBoth;
  int claim = -1;         // annotation of the image; -1: none
  bool repaired = false;  // becomes the hit of its claim; otherwise goes
};

/// A detection on the curve of a category.
struct Point {
  double score;
  bool hit;
};

/// An object that has no match.
struct LostObject {
  int category;
  bool missed;  // nobody claims it
};

/// What became of a detection at IoU .5.
enum class Fate { hit, ignored, false_positive };

Fate fate(const CategoryMatches& matches, std::size_t outcome, int at50) {
  if (matches.verdict(outcome, kAll).is_ignored(at50)) return Fate::ignored;
  return matches.outcomes[outcome].truth >= 0 ? Fate::hit : Fate::false_positive;
}

/// Judges the false positives of one image and resolves who gets which object.
class ImageErrors {
 public:
  ImageErrors(const ImageRecord& image, const std::vector<Detection>& detections)
      : truths_(image.annotations), detections_(detections), matched_(truths_.size(), false), best_(truths_.size()) {}

  void set_matched(int truth) { matched_[truth] = true; }

  void judge(FalsePositive& error) const {
    const Rect& rect = detections_[error.detection].rect;
    Nearest own, other;
    for (int g = 0; g < static_cast<int>(truths_.size()); ++g) {
      if (truths_[g].crowd) continue;
      const double overlap = coco_overlap(rect, truths_[g].rect, false);
      (truths_[g].category == error.category ? own : other).offer(g, overlap);
    }
    if (own.overlap >= kErrorBackground && own.overlap <= kErrorForeground) {
      error.kind = kLocalisation;
      error.claim = own.truth;
    } else if (other.overlap >= kErrorForeground) {
      error.kind = kConfusion;
      error.claim = other.truth;
    } else if (own.overlap >= kErrorForeground) {
      error.kind = kDuplicate;  // the object has a match: it would be this one's otherwise
    } else if (std::max(own.overlap, other.overlap) <= kErrorBackground) {
      error.kind = kBackgroundError;
    }
  }

  /// Lets the best claim of each object without match repair its error.
  void resolve(std::span<FalsePositive> errors) {
    for (FalsePositive& error : errors) {
      if (error.claim < 0 || matched_[error.claim]) continue;
      FalsePositive*& best = best_[error.claim];
      if (!best || best->score < error.score || (best->score == error.score && error.detection < best->detection)) {
        best = &error;
      }
    }
    for (FalsePositive* error : best_) {
      if (error) error->repaired = true;
    }
  }

  std::vector<LostObject> lost_objects() const {
    std::vector<LostObject> lost;
    for (std::size_t g = 0; g < truths_.size(); ++g) {
      if (!matched_[g] && !truths_[g].crowd) lost.push_back({truths_[g].category, best_[g] == nullptr});
    }
    return lost;
  }

 private:
  /// The object of largest overlap, the first on ties.
  struct Nearest {
    int truth = -1;
    double overlap = 0;
    void offer(int g, double value) {
      if (value <= overlap) return;
      truth = g;
      overlap = value;
    }
  };

  const std::vector<Annotation>& truths_;
  const std::vector<Detection>& detections_;
  std::vector<char> matched_;
  std::vector<FalsePositive*> best_;
};

/// The errors of a data set.
struct Errors {
  std::vector<std::vector<FalsePositive>> false_positives;  // by image
  std::vector<std::vector<LostObject>> lost;                // by image
};

Errors find_errors(const Dataset& truth, const std::vector<Detection>& detections, const CocoMatches& matches) {
  const std::size_t images = matches.images.size();
  Errors errors{.false_positives = std::vector<std::vector<FalsePositive>>(images),
                .lost = std::vector<std::vector<LostObject>>(images)};
  std::vector<std::vector<int>> matched(images);
  const int at50 = matches.settings.threshold(0.5);
  for (std::size_t k = 0; k < matches.categories.size(); ++k) {
    for (std::size_t i = 0; i < matches.categories[k].outcomes.size(); ++i) {
      const Outcome& outcome = matches.categories[k].outcomes[i];
      const Fate outcome_fate = fate(matches.categories[k], i, at50);
      if (outcome_fate == Fate::hit) {
        matched[outcome.image].push_back(outcome.truth);
      } else if (outcome_fate == Fate::false_positive) {
        errors.false_positives[outcome.image].push_back({.score = outcome.score,
                                                         .image = outcome.image,
                                                         .detection = outcome.detection,
                                                         .category = static_cast<int>(k),
                                                         .order = static_cast<int>(i)});
      }
    }
  }
  constexpr std::int64_t kPiece = 64;
  parallel_for(static_cast<std::int64_t>(images), kPiece, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) {
      ImageErrors image(truth.images[matches.images[i]], detections);
      for (const int position : matched[i]) image.set_matched(position);
      for (FalsePositive& error : errors.false_positives[i]) image.judge(error);
      image.resolve(errors.false_positives[i]);
      errors.lost[i] = image.lost_objects();
    }
  });
  return errors;
}

/// AP50 of a category with these detections; `points` in any order of scores. Without objects 0, and -1 when there are
/// no detections either: then the category leaves the mean.
double average_precision(std::vector<Point> points, std::int64_t objects) {
  if (objects == 0) return points.empty() ? -1 : 0;
  std::stable_sort(points.begin(), points.end(), [](const Point& a, const Point& b) { return a.score > b.score; });
  std::vector<CurveCorner> corners;
  std::int64_t counted = 0;
  for (const Point& point : points) {
    ++counted;
    if (point.hit) corners.push_back(curve_corner(static_cast<std::int64_t>(corners.size()) + 1, counted));
  }
  return mean(precision_at_recalls(corners, objects));
}

/// A category with everything that happens to its curve.
struct CategoryErrors {
  std::vector<const FalsePositive*> of_outcome;      // nullptr: no false positive
  std::vector<const FalsePositive*> repaired_to_it;  // confusion errors of other categories that become its hits
  std::int64_t lost = 0, missed = 0;
};

std::vector<CategoryErrors> by_category(const Dataset& truth, const CocoMatches& matches, const Errors& errors) {
  std::vector<CategoryErrors> categories(matches.categories.size());
  for (std::size_t k = 0; k < categories.size(); ++k) {
    categories[k].of_outcome.assign(matches.categories[k].outcomes.size(), nullptr);
  }
  for (const std::vector<FalsePositive>& image : errors.false_positives) {
    for (const FalsePositive& error : image) {
      categories[error.category].of_outcome[error.order] = &error;
      if (error.kind != kConfusion || !error.repaired) continue;
      const ImageRecord& record = truth.images[matches.images[error.image]];
      categories[record.annotations[error.claim].category].repaired_to_it.push_back(&error);
    }
  }
  for (const std::vector<LostObject>& image : errors.lost) {
    for (const LostObject& object : image) {
      ++categories[object.category].lost;
      categories[object.category].missed += object.missed;
    }
  }
  return categories;
}

/// The detections that count after all errors of `kind` are repaired; kErrorKinds: as they are.
std::vector<Point> repaired_points(const CategoryMatches& matches, const CategoryErrors& errors, int kind, int at50) {
  std::vector<Point> points;
  for (std::size_t i = 0; i < matches.outcomes.size(); ++i) {
    const Outcome& outcome = matches.outcomes[i];
    if (matches.verdict(i, kAll).is_ignored(at50)) continue;
    const FalsePositive* error = errors.of_outcome[i];
    if (!error || error->kind != kind) {
      points.push_back({outcome.score, error == nullptr});
    } else if (kind == kLocalisation && error->repaired) {
      points.push_back({outcome.score, true});
    }
  }
  if (kind == kConfusion) {
    for (const FalsePositive* error : errors.repaired_to_it) points.push_back({error->score, true});
  }
  return points;
}

/// AP50 of a category as it is and after repairs; -1 where it is not in the mean.
struct Repaired {
  double ap50 = -1;
  std::array<double, kErrorKinds> without{};
  double without_false_positives = -1, without_false_negatives = -1;
};

Repaired repair(const CategoryMatches& matches, const CategoryErrors& errors, int at50) {
  Repaired result;
  result.without.fill(-1);
  const std::int64_t objects = matches.total[kAll];
  if (objects == 0) return result;
  const std::vector<Point> points = repaired_points(matches, errors, kErrorKinds, at50);
  std::vector<Point> hits;
  std::copy_if(points.begin(), points.end(), std::back_inserter(hits), [](const Point& point) { return point.hit; });
  result.ap50 = average_precision(points, objects);
  for (int kind = 0; kind < kMissed; ++kind) {
    result.without[kind] = average_precision(repaired_points(matches, errors, kind, at50), objects);
  }
  result.without[kMissed] = average_precision(points, objects - errors.missed);
  result.without_false_positives = average_precision(hits, objects);
  result.without_false_negatives = average_precision(points, objects - errors.lost);
  return result;
}

/// Mean over the categories in which the number exists.
template <class Number>
double mean_over(const std::vector<Repaired>& categories, const Number& number) {
  std::vector<double> values;
  for (const Repaired& category : categories) {
    if (number(category) >= 0) values.push_back(number(category));
  }
  return values.empty() ? 0 : mean(values);
}

double gain(double after, double before) { return after < 0 ? 0 : after - before; }

ErrorBreakdown breakdown(const Repaired& ap, const CategoryErrors& errors) {
  ErrorBreakdown result{.ap50 = ap.ap50,
                        .count = {},
                        .gain = {},
                        .false_positives = 0,
                        .false_negatives = errors.lost,
                        .false_positive_gain = gain(ap.without_false_positives, ap.ap50),
                        .false_negative_gain = gain(ap.without_false_negatives, ap.ap50)};
  for (const FalsePositive* error : errors.of_outcome) {
    if (!error) continue;
    ++result.count[error->kind];
    ++result.false_positives;
  }
  result.count[kMissed] = errors.missed;
  for (int kind = 0; kind < kErrorKinds; ++kind) result.gain[kind] = gain(ap.without[kind], ap.ap50);
  return result;
}

/// Counts of all categories together, and what the mean gains.
ErrorBreakdown sum_up(const std::vector<Repaired>& categories, const std::vector<ErrorBreakdown>& parts) {
  ErrorBreakdown all{};
  for (const ErrorBreakdown& part : parts) {
    for (int kind = 0; kind < kErrorKinds; ++kind) all.count[kind] += part.count[kind];
    all.false_positives += part.false_positives;
    all.false_negatives += part.false_negatives;
  }
  const double before = mean_over(categories, [](const Repaired& r) { return r.ap50; });
  const auto gained = [&](const auto& number) { return mean_over(categories, number) - before; };
  for (int kind = 0; kind < kErrorKinds; ++kind) {
    all.gain[kind] = gained([kind](const Repaired& r) { return r.without[kind]; });
  }
  all.false_positive_gain = gained([](const Repaired& r) { return r.without_false_positives; });
  all.false_negative_gain = gained([](const Repaired& r) { return r.without_false_negatives; });
  const bool exists =
      std::any_of(parts.begin(), parts.end(), [](const ErrorBreakdown& part) { return part.ap50 >= 0; });
  all.ap50 = exists ? before : -1;
  return all;
}

}  // namespace

DetectionErrors detection_errors(const Dataset& truth, const std::vector<Detection>& detections,
                                 const CocoMatches& matches) {
  const int at50 = matches.settings.threshold(0.5);
  DIOPTER_CHECK(at50 >= 0, "the breakdown of errors needs 0.5 among the IoU thresholds");
  const Errors errors = find_errors(truth, detections, matches);
  const std::vector<CategoryErrors> categories = by_category(truth, matches, errors);
  std::vector<Repaired> repaired(categories.size());
  parallel_for(static_cast<std::int64_t>(categories.size()), 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t k = begin; k < end; ++k) repaired[k] = repair(matches.categories[k], categories[k], at50);
  });
  DetectionErrors result;
  for (std::size_t k = 0; k < categories.size(); ++k) {
    result.per_category.push_back(breakdown(repaired[k], categories[k]));
  }
  result.all = sum_up(repaired, result.per_category);
  return result;
}

}  // namespace diopter
