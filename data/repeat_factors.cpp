#include "data/repeat_factors.h"

#include <algorithm>
#include <cmath>
#include <set>

namespace diopter {

namespace {

std::set<int> classes_of(const ImageRecord& image) {
  std::set<int> classes;
  for (const Annotation& a : image.annotations) {
    if (!a.crowd && !a.difficult) classes.insert(a.category);
  }
  return classes;
}

}  // namespace

std::vector<double> class_repeat_factors(const Dataset& dataset, double threshold) {
  std::vector<double> pictures(dataset.categories.size()), factors;
  for (const ImageRecord& image : dataset.images) {
    for (const int c : classes_of(image)) ++pictures[c];
  }
  const double all = static_cast<double>(dataset.images.size());
  for (const double n : pictures) factors.push_back(n > 0 ? std::max(1.0, std::sqrt(threshold * all / n)) : 1);
  return factors;
}

std::vector<double> repeat_factors(const Dataset& dataset, double threshold) {
  const std::vector<double> of_class = class_repeat_factors(dataset, threshold);
  std::vector<double> factors;
  for (const ImageRecord& image : dataset.images) {
    double factor = 1;
    for (const int c : classes_of(image)) factor = std::max(factor, of_class[c]);
    factors.push_back(factor);
  }
  return factors;
}

std::vector<double> mean_repeats(const Dataset& dataset, double threshold) {
  const std::vector<double> factors = repeat_factors(dataset, threshold);
  std::vector<double> objects(dataset.categories.size()), means(dataset.categories.size());
  for (std::size_t i = 0; i < factors.size(); ++i) {
    for (const Annotation& a : dataset.images[i].annotations) {
      if (a.crowd || a.difficult) continue;
      ++objects[a.category];
      means[a.category] += factors[i];
    }
  }
  for (std::size_t c = 0; c < means.size(); ++c) means[c] = objects[c] > 0 ? means[c] / objects[c] : 1;
  return means;
}

}  // namespace diopter
