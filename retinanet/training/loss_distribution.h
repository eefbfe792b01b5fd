// Distribution of a loss over examples of different hardness (Lin et al. 2017, section 5.1 and figure 4).
//
// An example is one logit: an anchor and a class. An anchor's own class is positive, all else that is not ignored is
// negative. The paper counts windows, one probability each; with one class this is the same.
//
// Logits are gathered in bins of 1/256 with count and mean each, so memory does not grow with the number of pictures.
// The loss of a bin is count times loss at its mean. Where the loss behaves like exp(k x), as focal loss with
// k = gamma + 1 does in the tail of easy examples, its relative error is below (k / 256)^2 / 8: 2e-5 for gamma 2.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "data/dataset.h"
#include "retinanet/detection/losses.h"
#include "retinanet/network/retinanet.h"
#include "retinanet/training/step_report.h"

namespace diopter {

class LogitHistogram {
 public:
  struct Bin {
    std::int64_t count = 0;
    double sum = 0;  // of the logits
  };

  /// Logits beyond +-128 fall into the outermost bins. Throws Error for one that is not finite.
  void add(float logit);
  void add(std::size_t bin, const Bin& logits);

  std::int64_t count() const { return count_; }
  /// By ascending logit; most are empty.
  const std::vector<Bin>& bins() const { return bins_; }

 private:
  static constexpr int kBinsPerUnit = 256, kLimit = 128;

  std::vector<Bin> bins_ = std::vector<Bin>(2 * kLimit * kBinsPerUnit);
  std::int64_t count_ = 0;
};

/// Logits of examples by what they are.
struct ExampleLogits {
  LogitHistogram positives, negatives;

  /// Adds all logits [rows, cells * classes] of a batch.
  void add(const Pyramid& logits, int classes, const AnchorTargets& targets);
};

/// The logits as bytes, for another process of the same program; and those that it sent, added to others.
std::string packed(const ExampleLogits& logits);
void add_packed(std::string_view bytes, ExampleLogits& logits);

/// The quantity of an example that is added up; hardness is always the loss.
enum class Quantity { loss, gradient };

/// The examples of one kind by ascending hardness, and what each carries of the total.
class LossDistribution {
 public:
  LossDistribution(const LogitHistogram& logits, const AnyLoss& loss, bool positive,
                   Quantity quantity = Quantity::loss);

  double total() const { return total_; }
  /// Share of the total that the easiest `fraction` of the examples carries; 0 when the total is 0. Examples of a bin
  /// count as equally hard.
  double easiest(double fraction) const;
  /// Share that the hardest `fraction` carries.
  double hardest(double fraction) const { return total_ > 0 ? 1 - easiest(1 - fraction) : 0; }

 private:
  struct Step {
    double examples, carried;  // up to and with this bin
  };

  std::vector<Step> steps_;
  double total_ = 0;
};

HardestShares hardest_shares(const LogitHistogram& logits, const AnyLoss& loss, bool positive);

/// Runs the model over all pictures, as in an evaluation, and assigns its anchors as in training. `progress(done)` is
/// called after each batch. Throws Error for a picture that cannot be decoded.
ExampleLogits example_logits(const RetinaNet& model, const Dataset& dataset,
                             const std::function<void(std::int64_t done)>& progress);

}  // namespace diopter
