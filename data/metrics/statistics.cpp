#include "data/metrics/statistics.h"

#include <algorithm>
#include <boost/math/distributions/students_t.hpp>
#include <cmath>
#include <cstddef>
#include <limits>
#include <numeric>

#include "data/metrics/precision_recall.h"

namespace diopter {

namespace {

/// Of the mean.
double standard_error(const std::vector<double>& values) {
  return standard_deviation(values) / std::sqrt(static_cast<double>(values.size()));
}

boost::math::students_t distribution(const std::vector<double>& values) {
  return boost::math::students_t(static_cast<double>(values.size() - 1));
}

/// Indices of the values in ascending order; equal ones stay as they are.
std::vector<std::size_t> order_of(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) { return values[a] < values[b]; });
  return order;
}

/// Twice the ranks from 1 on; equal values have the mean of theirs, so that the double is an integer.
std::vector<std::size_t> doubled_ranks(const std::vector<double>& values) {
  const std::vector<std::size_t> order = order_of(values);
  std::vector<std::size_t> ranks(values.size());
  for (std::size_t first = 0, last = 0; first < order.size(); first = last) {
    while (last < order.size() && values[order[last]] == values[order[first]]) ++last;
    for (std::size_t i = first; i < last; ++i) ranks[order[i]] = first + last + 1;
  }
  return ranks;
}

}  // namespace

double standard_deviation(const std::vector<double>& values) {
  if (values.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const double centre = mean(values);
  double sum = 0;
  for (const double v : values) sum += (v - centre) * (v - centre);
  return std::sqrt(sum / static_cast<double>(values.size() - 1));
}

Interval t_interval(const std::vector<double>& values, double confidence) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  if (values.size() < 2) return {-kInfinity, kInfinity};
  const double half = quantile(distribution(values), 0.5 + confidence / 2) * standard_error(values);
  return {mean(values) - half, mean(values) + half};
}

double paired_t_test(const std::vector<double>& differences) {
  if (differences.size() < 2 || std::count(differences.begin(), differences.end(), 0.0) == std::ssize(differences)) {
    return 1;
  }
  const double error = standard_error(differences);
  if (error == 0) return 0;  // all are equal: no chance at all
  return 2 * cdf(complement(distribution(differences), std::fabs(mean(differences)) / error));
}

double wilcoxon_signed_rank(const std::vector<double>& differences) {
  std::vector<double> sizes;
  std::vector<bool> positive;
  for (const double d : differences) {
    if (d == 0) continue;
    sizes.push_back(std::fabs(d));
    positive.push_back(d > 0);
  }
  const std::vector<std::size_t> ranks = doubled_ranks(sizes);
  std::size_t total = 0, observed = 0;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    total += ranks[i];
    if (positive[i]) observed += ranks[i];
  }
  // Probability of each sum of the positive ranks where every sign is a fair coin.
  std::vector<double> probability(total + 1);
  probability[0] = 1;
  std::size_t reached = 0;
  for (const std::size_t rank : ranks) {
    reached += rank;
    for (std::size_t sum = reached + 1; sum-- > 0;) {
      probability[sum] = (probability[sum] + (sum >= rank ? probability[sum - rank] : 0)) / 2;
    }
  }
  const std::size_t tail = std::min(observed, total - observed);  // the distribution is symmetric
  const double p =
      std::accumulate(probability.begin(), probability.begin() + static_cast<std::ptrdiff_t>(tail) + 1, 0.0);
  return std::min(1.0, 2 * p);
}

std::vector<double> holm(const std::vector<double>& p_values) {
  std::vector<double> corrected(p_values.size());
  double largest = 0;
  std::size_t left = p_values.size();
  for (const std::size_t i : order_of(p_values)) {
    largest = std::max(largest, std::min(1.0, static_cast<double>(left--) * p_values[i]));
    corrected[i] = largest;
  }
  return corrected;
}

}  // namespace diopter
