#include "data/metrics/bootstrap.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "kernels/base/check.h"
#include "kernels/base/parallel.h"
#include "kernels/base/philox.h"

namespace diopter {

namespace {

/// A detection that is no false positive: what a curve needs besides the number of detections before it.
struct Event {
  std::int32_t position;  // among the category's detections
  std::int32_t image;
  bool hit;  // otherwise ignored
};

/// The matches of a category in the form in which they are summed over and over.
struct CategoryEvents {
  std::vector<std::int32_t> images;        // of the detections, best first
  std::vector<std::vector<Event>> events;  // by threshold
  std::vector<CategoryMatches::Objects> objects;
};

std::vector<CategoryEvents> collect_events(const CocoMatches& matches) {
  std::vector<CategoryEvents> categories(matches.categories.size());
  const int thresholds = static_cast<int>(matches.settings.thresholds.size());
  for (std::size_t k = 0; k < categories.size(); ++k) {
    categories[k].events.resize(thresholds);
    for (std::size_t i = 0; i < matches.categories[k].outcomes.size(); ++i) {
      const std::int32_t image = matches.categories[k].outcomes[i].image;
      const Verdict& verdict = matches.categories[k].verdict(i, kAll);
      categories[k].images.push_back(image);
      for (int t = 0; t < thresholds; ++t) {
        if (verdict.hit(t) || verdict.is_ignored(t)) {
          categories[k].events[t].push_back({static_cast<std::int32_t>(i), image, verdict.hit(t)});
        }
      }
    }
    categories[k].objects = matches.categories[k].objects;
  }
  return categories;
}

/// Evaluates samples of one set of matches; one per thread, for its work space.
class SampleEvaluator {
 public:
  SampleEvaluator(const std::vector<CategoryEvents>& categories, const CocoSettings& settings)
      : categories_(categories), at50_(settings.threshold(0.5)), at75_(settings.threshold(0.75)) {}

  SampleMetrics evaluate(std::span<const int> copies) {
    SampleMetrics metrics{};
    std::array<std::vector<double>, 4> values;  // AP, AP50, AP75, AR of the categories with objects
    for (const CategoryEvents& category : categories_) {
      std::int64_t objects = 0;
      for (const auto& [image, count] : category.objects) objects += std::int64_t{copies[image]} * count;
      metrics.category_ap.push_back(-1);
      if (objects == 0) continue;
      count_detections(category, copies);
      std::vector<double> precision(category.events.size()), recall(category.events.size());
      for (std::size_t t = 0; t < category.events.size(); ++t) {
        trace_curve(category.events[t], copies);
        recall[t] = corners_.empty() ? 0 : static_cast<double>(corners_.back().hits) / static_cast<double>(objects);
        precision[t] = mean(precision_at_recalls(corners_, objects));
      }
      metrics.category_ap.back() = mean(precision);
      values[0].push_back(metrics.category_ap.back());
      if (at50_ >= 0) values[1].push_back(precision[at50_]);
      if (at75_ >= 0) values[2].push_back(precision[at75_]);
      values[3].push_back(mean(recall));
    }
    metrics.ap = mean(values[0]);
    metrics.ap50 = mean(values[1]);
    metrics.ap75 = mean(values[2]);
    metrics.ar = mean(values[3]);
    return metrics;
  }

 private:
  /// counted_[i]: detections in the sample down to the category's i-th.
  void count_detections(const CategoryEvents& category, std::span<const int> copies) {
    counted_.resize(category.images.size());
    std::int64_t counted = 0;
    for (std::size_t i = 0; i < counted_.size(); ++i) counted_[i] = counted += copies[category.images[i]];
  }

  /// Copies of a hit are one corner: the last of them has the highest precision, which all of them are raised to.
  void trace_curve(const std::vector<Event>& events, std::span<const int> copies) {
    corners_.clear();
    std::int64_t hits = 0, ignored = 0;
    for (const Event& event : events) {
      const int n = copies[event.image];
      if (n == 0) continue;
      if (event.hit) {
        hits += n;
        corners_.push_back(curve_corner(hits, counted_[event.position] - ignored));
      } else {
        ignored += n;
      }
    }
  }

  const std::vector<CategoryEvents>& categories_;
  const int at50_, at75_;  // thresholds; -1: none
  std::vector<std::int64_t> counted_;
  std::vector<CurveCorner> corners_;
};

/// Copies of each image in resample i.
std::vector<int> draw_images(std::size_t images, std::uint64_t seed, std::int64_t i) {
  std::vector<int> copies(images);
  Philox random(seed, static_cast<std::uint64_t>(i));
  for (std::size_t n = 0; n < images; ++n) ++copies[random.below(static_cast<std::uint32_t>(images))];
  return copies;
}

/// The value below which a share of the sorted values lies; between two of them linearly.
double quantile(const std::vector<double>& sorted, double share) {
  const double place = share * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (place - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

Interval interval(std::vector<double> values, double confidence) {
  if (values.empty()) return {-1, -1};
  std::sort(values.begin(), values.end());
  return {quantile(values, (1 - confidence) / 2), quantile(values, (1 + confidence) / 2)};
}

template <class Number>
Interval interval(const std::vector<SampleMetrics>& samples, double confidence, const Number& number) {
  std::vector<double> values;
  for (const SampleMetrics& sample : samples) {
    if (number(sample) >= 0) values.push_back(number(sample));
  }
  return interval(std::move(values), confidence);
}

/// Numbers of all resamples.
std::vector<SampleMetrics> resample(const CocoMatches& matches, const BootstrapOptions& options,
                                    const std::function<void(std::int64_t, std::int64_t)>& progress) {
  constexpr std::int64_t kPiece = 4;    // resamples that share work space
  constexpr std::int64_t kBlock = 256;  // resamples between two reports
  DIOPTER_CHECK(options.resamples >= 1, "the bootstrap needs at least one resample, not ", options.resamples);
  DIOPTER_CHECK(options.confidence > 0 && options.confidence < 1, "the confidence must lie between 0 and 1, is ",
                options.confidence);
  const std::vector<CategoryEvents> categories = collect_events(matches);
  std::vector<SampleMetrics> samples(options.resamples);
  for (std::int64_t first = 0; first < options.resamples; first += kBlock) {
    const std::int64_t count = std::min(kBlock, options.resamples - first);
    parallel_for(count, kPiece, [&](std::int64_t begin, std::int64_t end) {
      SampleEvaluator evaluator(categories, matches.settings);
      for (std::int64_t i = first + begin; i < first + end; ++i) {
        samples[i] = evaluator.evaluate(draw_images(matches.images.size(), options.seed, i));
      }
    });
    if (progress) progress(first + count, options.resamples);
  }
  return samples;
}

/// One list of detections and another: the numbers of the data set, and of each resample.
struct Pair {
  SampleMetrics whole, whole_against;
  std::vector<SampleMetrics> samples, samples_against;
};

template <class Number>
PairedDifference difference(const Pair& pair, double confidence, const Number& number) {
  if (number(pair.whole) < 0 || number(pair.whole_against) < 0) return {};
  std::vector<double> values;
  double larger = 0;
  for (std::size_t i = 0; i < pair.samples.size(); ++i) {
    const double one = number(pair.samples[i]), other = number(pair.samples_against[i]);
    if (one < 0 || other < 0) continue;
    values.push_back(one - other);
    larger += one > other ? 1 : one == other ? 0.5 : 0;
  }
  const auto count = static_cast<double>(std::max<std::size_t>(values.size(), 1));
  return {number(pair.whole) - number(pair.whole_against), interval(std::move(values), confidence), larger / count};
}

}  // namespace

SampleMetrics metrics_of_sample(const CocoMatches& matches, std::span<const int> copies) {
  DIOPTER_CHECK(copies.size() == matches.images.size(), "metrics_of_sample: ", copies.size(), " numbers of copies for ",
                matches.images.size(), " images");
  const std::vector<CategoryEvents> categories = collect_events(matches);
  return SampleEvaluator(categories, matches.settings).evaluate(copies);
}

BootstrapIntervals bootstrap_intervals(const CocoMatches& matches, const BootstrapOptions& options,
                                       const std::function<void(std::int64_t, std::int64_t)>& progress) {
  const std::vector<SampleMetrics> samples = resample(matches, options, progress);
  BootstrapIntervals intervals;
  intervals.ap = interval(samples, options.confidence, [](const SampleMetrics& s) { return s.ap; });
  intervals.ap50 = interval(samples, options.confidence, [](const SampleMetrics& s) { return s.ap50; });
  intervals.ap75 = interval(samples, options.confidence, [](const SampleMetrics& s) { return s.ap75; });
  intervals.ar = interval(samples, options.confidence, [](const SampleMetrics& s) { return s.ar; });
  for (std::size_t k = 0; k < matches.categories.size(); ++k) {
    intervals.category_ap.push_back(
        interval(samples, options.confidence, [k](const SampleMetrics& s) { return s.category_ap[k]; }));
  }
  return intervals;
}

PairedBootstrap paired_bootstrap(const CocoMatches& matches, const CocoMatches& against,
                                 const BootstrapOptions& options,
                                 const std::function<void(std::int64_t, std::int64_t)>& progress) {
  DIOPTER_CHECK(matches.images == against.images && matches.categories.size() == against.categories.size() &&
                    matches.settings == against.settings,
                "the paired bootstrap needs matches with the same data set");
  const std::vector<int> whole(matches.images.size(), 1);
  const std::int64_t both = 2 * static_cast<std::int64_t>(options.resamples);
  const auto of_both = [&](std::int64_t before) {
    return [&progress, before, both](std::int64_t done, std::int64_t) {
      if (progress) progress(before + done, both);
    };
  };
  const Pair pair{.whole = metrics_of_sample(matches, whole),
                  .whole_against = metrics_of_sample(against, whole),
                  .samples = resample(matches, options, of_both(0)),
                  .samples_against = resample(against, options, of_both(options.resamples))};
  const auto of = [&](const auto& number) { return difference(pair, options.confidence, number); };
  PairedBootstrap result{.ap = of([](const SampleMetrics& s) { return s.ap; }),
                         .ap50 = of([](const SampleMetrics& s) { return s.ap50; }),
                         .ap75 = of([](const SampleMetrics& s) { return s.ap75; }),
                         .ar = of([](const SampleMetrics& s) { return s.ar; }),
                         .category_ap = {}};
  for (std::size_t k = 0; k < matches.categories.size(); ++k) {
    result.category_ap.push_back(of([k](const SampleMetrics& s) { return s.category_ap[k]; }));
  }
  return result;
}

}  // namespace diopter
