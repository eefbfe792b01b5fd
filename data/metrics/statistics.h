// Statistics of a few measurements, and of paired ones: two methods that ran with the same seeds. The tests are those
// that scipy.stats has as ttest_rel and wilcoxon, and equal to them (tests/golden/paired_statistics.py).
#pragma once

#include <vector>

namespace diopter {

struct Interval {
  double low, high;
  bool operator==(const Interval&) const = default;
};

/// Of a sample (n - 1 in the denominator); NaN for fewer than two values.
double standard_deviation(const std::vector<double>& values);

/// Where the mean of the population lies with the given confidence, by Student's t distribution (Student 1908, "The
/// Probable Error of a Mean"); infinitely wide for fewer than two values.
Interval t_interval(const std::vector<double>& values, double confidence = 0.95);

/// Two-sided p of the paired t-test: how probable so large a mean difference is where the true mean is 0 and
/// differences are normal. 1 for fewer than two differences, and where all are 0.
double paired_t_test(const std::vector<double>& differences);

/// Two-sided p of the signed-rank test (Wilcoxon 1945, "Individual Comparisons by Ranking Methods"), which needs
/// differences that are symmetric about their median, not normal ones. Exact for any number: over all signs that the
/// differences could have had. Zeros are dropped, equal sizes share the mean of their ranks (scipy:
/// zero_method="wilcox"). 1 where nothing is left. n differences cannot give less than 2^(1-n).
double wilcoxon_signed_rank(const std::vector<double>& differences);

/// p values corrected for being one of several (Holm 1979, "A Simple Sequentially Rejective Multiple Test Procedure"),
/// in the order given: with the corrected values compared to a level, the probability of any false discovery is at most
/// that.
std::vector<double> holm(const std::vector<double>& p_values);

}  // namespace diopter
