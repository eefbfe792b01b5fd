// Probability that a positive starts with, from the loss and the training set (docs/prior.md).
#pragma once

#include <string>
#include <vector>

#include "data/dataset.h"
#include "kernels/detection/any_loss.h"
#include "retinanet/config/config.h"
#include "retinanet/doctor/anchor_coverage.h"

namespace diopter {

/// rho: negative logits per positive one, classes x background anchors / positive anchors. Throws Error without
/// positives.
double imbalance(const AnchorMatches& matches, int classes);

/// rho where the positives weigh what loss.class_weights states: divided by their mean weight.
double weighted_imbalance(const Config& config, const AnchorMatches& matches);

/// The probability p = sigmoid(x) at which the gradients of all positives and of all negatives have the same size,
/// |dL+/dx| = rho |dL-/dx|: above it the negatives push harder, below it the positives. For cross-entropy 1 / (1 +
/// rho). Of a loss that selects examples, as its formula has it for all of them.
double balanced_prior(const AnyLoss& loss, double rho);

/// Of the configured loss, and of all others with their defaults.
struct BalancedPrior {
  std::string loss;  // with the parameters of the configured one
  double prior = 0;
};
std::vector<BalancedPrior> balanced_priors(const AnyLoss& configured, double rho);

/// Each class's share of the anchors that are learned from. A class without positives counts as with half of one.
std::vector<double> class_frequencies(const AnchorMatches& matches);

/// The configuration with the numbers of model.prior: those that are stated, or what its rule gives for these matches
/// and the stated loss.class_weights (with_class_weights).
Config with_prior(Config config, const AnchorMatches& matches);

/// The same, with the matches of up to 1,000 pictures of the training set, whose sizes are read where the annotations
/// do not tell them; pictures that cannot be read are left out. Throws Error without positives.
Config with_prior(Config config, const Dataset& training);

}  // namespace diopter
