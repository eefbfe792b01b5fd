// Weights of the classes' positives (loss.class_weights, docs/class_balance.md).
#pragma once

#include <vector>

#include "data/dataset.h"
#include "retinanet/config/config.h"

namespace diopter {

/// Boxes of each class that training learns from: neither crowd nor difficult.
std::vector<std::int64_t> boxes_of_classes(const Dataset& dataset);

/// The configuration with numbers in the place of a rule, n_k being the boxes of class k in the training set:
///
///   balanced    w_k ~ 1 / n_k
///   effective   w_k ~ (1 - beta) / (1 - beta^n_k), beta = loss.effective_beta     (Cui et al. 2019, equation 10)
///
/// both scaled to the mean 1 over the classes. Throws Error that names a class without boxes.
Config with_class_weights(Config config, const Dataset& training);

/// The numbers, one for each class; empty for none. Throws Error for a rule that with_class_weights has not replaced,
/// and where their number is not that of the classes.
std::vector<float> class_weights(const ClassWeights& weights, int classes);

}  // namespace diopter
