// Repeat-factor sampling: pictures with rare classes come several times an epoch (Gupta, Dollar and Girshick 2019,
// "LVIS", appendix B.2).
//
//   f(c) = share of the pictures that have an object of class c,  r(c) = max(1, sqrt(threshold / f(c)))
//   r(picture) = max over the classes of its objects of r(c); 1 without objects
//
// An object is a box that training learns from: neither crowd nor difficult.
#pragma once

#include <vector>

#include "data/dataset.h"

namespace diopter {

/// r of each class; 1 of those that no picture has, and with a threshold of 0.
std::vector<double> class_repeat_factors(const Dataset& dataset, double threshold);

/// r of each picture, at least 1.
std::vector<double> repeat_factors(const Dataset& dataset, double threshold);

/// How often an object comes in an epoch, the mean of each class: its pictures' r. 1 of a class without objects.
std::vector<double> mean_repeats(const Dataset& dataset, double threshold);

}  // namespace diopter
