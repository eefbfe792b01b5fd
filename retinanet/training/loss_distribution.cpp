#include "retinanet/training/loss_distribution.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "kernels/detection/any_loss.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

/// Calls f(logits, label) for every anchor of the batch, `logits` pointing to `classes` values.
template <class T, class F>
void for_each_anchor(const Pyramid& head, int classes, const AnchorTargets& targets, const F& f) {
  const std::vector<T> values = head.rows.value().to_vector<T>();
  const std::vector<std::int32_t> labels = targets.labels.to_vector<std::int32_t>();
  const AnchorGrid& grid = targets.grid;
  const std::int64_t anchors = static_cast<std::int64_t>(labels.size()) / targets.images();
  std::int64_t first_anchor = 0;  // of the level, in an image
  const T* pixel = values.data();
  for (int l = 0; l < grid.levels; ++l) {
    for (int n = 0; n < targets.images(); ++n) {
      const std::int32_t* label = labels.data() + n * anchors + first_anchor;
      for (std::int64_t a = 0; a < grid.level_size(l); a += grid.cells, pixel += head.channels()) {
        for (int c = 0; c < grid.cells; ++c) f(pixel + c * classes, label[a + c]);
      }
    }
    first_anchor += grid.level_size(l);
  }
}

}  // namespace

void LogitHistogram::add(float logit) {
  DIOPTER_CHECK(std::isfinite(logit), "a logit of the network is not finite");
  const float within = std::clamp(logit, static_cast<float>(-kLimit), static_cast<float>(kLimit));
  const int bin = static_cast<int>((within + kLimit) * kBinsPerUnit);
  Bin& b = bins_[std::min<std::size_t>(bin, bins_.size() - 1)];
  ++b.count;
  b.sum += static_cast<double>(logit);
  ++count_;
}

void LogitHistogram::add(std::size_t bin, const Bin& logits) {
  bins_[bin].count += logits.count;
  bins_[bin].sum += logits.sum;
  count_ += logits.count;
}

void ExampleLogits::add(const Pyramid& logits, int classes, const AnchorTargets& targets) {
  with_dtype(logits.rows.value().dtype(), [&](auto t) {
    using T = decltype(t);
    for_each_anchor<T>(logits, classes, targets, [&](const T* x, std::int32_t label) {
      if (label == kIgnore) return;
      for (int k = 0; k < classes; ++k) (k == label ? positives : negatives).add(static_cast<float>(x[k]));
    });
  });
}

namespace {

/// A bin that is not empty.
struct PackedBin {
  std::uint64_t positive, number;
  LogitHistogram::Bin bin;
};

}  // namespace

std::string packed(const ExampleLogits& logits) {
  std::string bytes;
  for (const bool positive : {true, false}) {
    const std::vector<LogitHistogram::Bin>& bins = (positive ? logits.positives : logits.negatives).bins();
    for (std::size_t i = 0; i < bins.size(); ++i) {
      if (bins[i].count == 0) continue;
      const PackedBin bin{positive, i, bins[i]};
      bytes.append(reinterpret_cast<const char*>(&bin), sizeof bin);
    }
  }
  return bytes;
}

void add_packed(std::string_view bytes, ExampleLogits& logits) {
  for (PackedBin bin{}; bytes.size() >= sizeof bin; bytes.remove_prefix(sizeof bin)) {
    std::memcpy(&bin, bytes.data(), sizeof bin);
    (bin.positive ? logits.positives : logits.negatives).add(bin.number, bin.bin);
  }
}

LossDistribution::LossDistribution(const LogitHistogram& logits, const AnyLoss& loss, bool positive,
                                   Quantity quantity) {
  double examples = 0;
  const auto take = [&](const LogitHistogram::Bin& bin) {
    if (bin.count == 0) return;
    const double count = static_cast<double>(bin.count);
    const ValueAndDerivative<double> l = loss_at(loss, bin.sum / count, positive);
    examples += count;
    total_ += count * (quantity == Quantity::loss ? l.value : std::fabs(l.derivative));
    steps_.push_back({examples, total_});
  };
  // No loss falls where the answer gets worse, so hardness follows the logit: the higher, the harder for negatives.
  if (positive) {
    std::for_each(logits.bins().rbegin(), logits.bins().rend(), take);
  } else {
    std::for_each(logits.bins().begin(), logits.bins().end(), take);
  }
}

double LossDistribution::easiest(double fraction) const {
  if (!(total_ > 0)) return 0;
  const double examples = std::clamp(fraction, 0.0, 1.0) * steps_.back().examples;
  const auto step = std::lower_bound(steps_.begin(), steps_.end(), examples,
                                     [](const Step& s, double wanted) { return s.examples < wanted; });
  if (step == steps_.end()) return 1;
  const Step before = step == steps_.begin() ? Step{0, 0} : *(step - 1);
  const double part = (examples - before.examples) / (step->examples - before.examples);
  return (before.carried + part * (step->carried - before.carried)) / total_;
}

HardestShares hardest_shares(const LogitHistogram& logits, const AnyLoss& loss, bool positive) {
  const LossDistribution of_loss(logits, loss, positive), of_gradient(logits, loss, positive, Quantity::gradient);
  HardestShares shares;
  for (std::size_t i = 0; i < kHardest.size(); ++i) {
    shares.loss[i] = of_loss.hardest(kHardest[i]);
    shares.gradient[i] = of_gradient.hardest(kHardest[i]);
  }
  return shares;
}

ExampleLogits example_logits(const RetinaNet& model, const Dataset& dataset,
                             const std::function<void(std::int64_t)>& progress) {
  const Config& config = model.config();
  LoaderOptions options = loader_options(config);
  options.batch_size = config.detect.batch_size;
  EvaluationLoader loader(dataset, options);
  ExampleLogits result;
  for (Batch batch; loader.next(batch);) {
    const RetinaNet::Output output = model(input_of(batch, model.device()));
    result.add(output.logits, model.classes(), make_targets(config, output.grid, batch, model.device()));
    if (progress) progress(static_cast<std::int64_t>(batch.views.back().picture) + 1);
  }
  return result;
}

}  // namespace diopter
