#include "retinanet/doctor/prior.h"

#include <algorithm>
#include <cmath>

#include "data/pictures/image.h"
#include "data/spread_sample.h"
#include "kernels/base/check.h"
#include "kernels/detection/logistic.h"
#include "retinanet/config/loss_text.h"
#include "retinanet/config/names.h"
#include "retinanet/detection/class_weights.h"

namespace diopter {

namespace {

/// Sizes from the files' headers where the annotations state none.
void find_sizes(Dataset& dataset) {
  std::erase_if(dataset.images, [](ImageRecord& record) {
    if (record.width > 0 && record.height > 0) return false;
    try {
      read_image_size(record.file, record.width, record.height);
    } catch (const Error&) {
      return true;  // training tells which it skips
    }
    return false;
  });
}

}  // namespace

double imbalance(const AnchorMatches& matches, int classes) {
  DIOPTER_CHECK(matches.positives > 0, "none of the anchors is positive, on ", matches.pictures,
                " pictures of the training set");
  return classes * static_cast<double>(matches.background) / static_cast<double>(matches.positives);
}

double weighted_imbalance(const Config& config, const AnchorMatches& matches) {
  const int classes = static_cast<int>(matches.positives_of_class.size());
  const double rho = imbalance(matches, classes);
  const std::vector<float> weights = class_weights(config.loss.class_weights, classes);
  if (weights.empty()) return rho;
  double weight = 0;  // of all positives
  for (int k = 0; k < classes; ++k) {
    weight += static_cast<double>(weights[k]) * static_cast<double>(matches.positives_of_class[k]);
  }
  DIOPTER_CHECK(weight > 0, "loss.class_weights: every positive has the weight 0");
  return rho * static_cast<double>(matches.positives) / weight;
}

double balanced_prior(const AnyLoss& loss, double rho) {
  const auto positives_push_harder = [&](double x) {
    return std::fabs(loss_at(loss, x, true).derivative) > rho * std::fabs(loss_at(loss, x, false).derivative);
  };
  double low = -100, high = 100;
  for (int i = 0; i < 200; ++i) {
    const double middle = 0.5 * (low + high);
    (positives_push_harder(middle) ? low : high) = middle;
  }
  return logistic(low).sigmoid;
}

std::vector<BalancedPrior> balanced_priors(const AnyLoss& configured, double rho) {
  std::vector<BalancedPrior> priors{{format_loss(configured), balanced_prior(configured, rho)}};
  for (const AnyLoss& loss : all_losses()) {
    if (loss.index() != configured.index()) priors.push_back({loss_name(loss), balanced_prior(loss, rho)});
  }
  return priors;
}

std::vector<double> class_frequencies(const AnchorMatches& matches) {
  const auto anchors = static_cast<double>(matches.positives + matches.background);
  std::vector<double> frequencies;
  for (const std::int64_t positives : matches.positives_of_class) {
    frequencies.push_back(std::max(static_cast<double>(positives), 0.5) / anchors);
  }
  return frequencies;
}

Config with_prior(Config config, const AnchorMatches& matches) {
  Prior& prior = config.model.prior;
  if (prior.rule == PriorRule::stated) return config;
  const double rho = weighted_imbalance(config, matches);
  prior.values = prior.rule == PriorRule::data ? class_frequencies(matches)
                                               : std::vector<double>{balanced_prior(config.loss.kind, rho)};
  prior.rule = PriorRule::stated;
  return config;
}

Config with_prior(Config config, const Dataset& training) {
  if (config.model.prior.rule == PriorRule::stated) return config;
  Dataset sample = spread_sample(training, kMatchedPictures);
  find_sizes(sample);
  return with_prior(config, match_pictures(config, sample));
}

}  // namespace diopter
