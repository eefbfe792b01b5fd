#include "retinanet/doctor/anchor_advice.h"

#include <algorithm>
#include <cmath>

#include "data/spread_sample.h"
#include "kernels/base/text.h"
#include "retinanet/config/configure.h"
#include "retinanet/doctor/anchor_coverage.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

constexpr double kEnough = 0.95;      // share of the boxes at which the search ends
constexpr double kWorthwhile = 0.02;  // gain that justifies a change that costs nothing
constexpr double kWorthCost = 0.1;    // gain that justifies one that costs time and memory
constexpr int kLargestGrowth = 2;     // an input more than so many times as large as the pictures shows nothing new
constexpr std::int64_t kSearchPictures = 400;
constexpr double kFactors[] = {1, 1.25, 1.5, 1.75, 2, 2.5, 3, 3.5, 4, 5, 6, 7, 8, 10, 12};

std::string number(double value) { return formatted("%.3g", value); }

template <class T>
std::string list(const std::vector<T>& values) {
  return "[" + join(values, ", ", [](T value) { return number(static_cast<double>(value)); }) + "]";
}

/// A configuration on the way from the given one.
struct Candidate {
  Config config;
  std::vector<std::string> settings;
  double coverage = 0, mean_iou = 0;

  /// Coverage counts; between equals (frequent in small sets) the better fit decides.
  double score() const { return coverage + 0.1 * mean_iou; }
};

class Search {
 public:
  explicit Search(const Dataset& dataset) : sample_(spread_sample(dataset, kSearchPictures)) {}

  Candidate evaluate(const Config& config, const std::vector<std::string>& settings) const {
    Candidate candidate{config, settings};
    apply_settings(candidate.config, parse_settings(settings));
    const Coverage coverage = anchor_coverage(candidate.config, sample_);
    candidate.coverage = coverage.all.foreground_share();
    candidate.mean_iou = coverage.mean_iou;
    return candidate;
  }

  /// The best anchor sizes for the given settings, and the boxes' own ratios where they help too.
  Candidate tune(const Config& config, const std::vector<std::string>& settings) const {
    const Candidate start = evaluate(config, settings);
    Candidate best = best_factor(start, settings, config);
    std::vector<std::string> with_ratios = settings;
    with_ratios.push_back("anchors.ratios=" + list(own_ratios(start.config)));
    const Candidate reshaped = best_factor(evaluate(config, with_ratios), with_ratios, config);
    if (reshaped.coverage - best.coverage >= kWorthwhile) best = reshaped;
    return best;
  }

 private:
  Candidate best_factor(const Candidate& start, const std::vector<std::string>& settings, const Config& config) const {
    Candidate best = start;
    for (double factor : kFactors) {
      std::vector<std::string> more = settings;
      more.push_back("anchors.size_factor=" + number(factor));
      const Candidate candidate = evaluate(config, more);
      if (candidate.score() > best.score()) best = candidate;
    }
    return best;
  }

  /// Quantiles of height / width over the objects, as many as the configuration has ratios.
  std::vector<double> own_ratios(const Config& config) const {
    std::vector<double> ratios, chosen;
    for (const ImageRecord& record : sample_.images) {
      for (const TargetBox& t : input_targets(record, input_size(config, record.width, record.height))) {
        if (t.label >= 0) ratios.push_back(static_cast<double>((t.box.y2 - t.box.y1) / (t.box.x2 - t.box.x1)));
      }
    }
    std::sort(ratios.begin(), ratios.end());
    const double count = static_cast<double>(config.anchors.ratios.size());
    for (double i = 0.5; i < count; ++i) {
      chosen.push_back(ratios[static_cast<std::size_t>(i / count * static_cast<double>(ratios.size()))]);
    }
    return chosen;
  }

  Dataset sample_;
};

std::vector<std::string> joined(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

std::vector<std::string> enlarged_input(const Config& config, const Dataset& dataset, double factor) {
  int longest_input = 0, longest = 0;
  for (const ImageRecord& record : dataset.images) {
    const InputSize size = input_size(config, record.width, record.height);
    longest_input = std::max({longest_input, size.width, size.height});
    longest = std::max({longest, record.width, record.height});
  }
  const auto scaled = [factor](int size) { return static_cast<int>(std::lround(factor * size)); };
  if (scaled(longest_input) > kLargestGrowth * longest) return {};
  const auto max_size = [&](int now) { return "input.max_size=" + std::to_string(scaled(now)); };
  std::vector<std::string> settings;
  switch (config.input.resize) {
    case ResizeRule::Kind::exact: return {max_size(longest_input)};
    case ResizeRule::Kind::longer_side: settings = {max_size(longest_input)}; break;
    case ResizeRule::Kind::shorter_side: {
      const std::string sizes =
          join(config.input.min_sizes, ", ", [&](int size) { return std::to_string(scaled(size)); });
      settings = {max_size(config.input.max_size), "input.min_sizes=[" + sizes + "]"};
      break;
    }
  }
  if (!config.input.enlarge && scaled(longest_input) > longest) settings.push_back("input.enlarge=true");
  return settings;
}

std::vector<AnchorAdvice> advise_anchors(const Config& config, const Dataset& dataset) {
  const Coverage now = anchor_coverage(config, dataset);
  if (now.all.boxes == 0 || now.all.foreground_share() >= kPoorCoverage) return {};

  std::vector<std::vector<std::string>> changes{{}};  // the cheapest first
  const std::vector<std::string> finer{"model.min_level=" + std::to_string(config.model.min_level - 1)};
  if (config.model.min_level > 2) changes.push_back(finer);
  for (double factor : {1.5, 2.0, 3.0, 4.0, 6.0, 8.0}) {
    const std::vector<std::string> larger = enlarged_input(config, dataset, factor);
    if (larger.empty()) break;
    changes.push_back(larger);
    if (config.model.min_level > 2) changes.push_back(joined(larger, finer));
  }

  const Search search(dataset);
  double reached = now.all.foreground_share();
  std::vector<AnchorAdvice> advice;
  for (const std::vector<std::string>& change : changes) {
    if (reached >= kEnough) break;
    const double wanted = reached + (change.empty() ? kWorthwhile : kWorthCost);
    const Candidate candidate = search.tune(config, change);
    if (candidate.coverage < std::min(wanted, kEnough)) continue;
    const Coverage verified = anchor_coverage(candidate.config, dataset);
    if (verified.all.foreground_share() < std::min(wanted, kEnough)) continue;
    reached = verified.all.foreground_share();
    advice.push_back({candidate.settings, reached, verified.anchors_per_picture / now.anchors_per_picture});
  }
  return advice;
}

}  // namespace diopter
