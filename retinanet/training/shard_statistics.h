// Running statistics of batch norms over the shards of a batch.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "retinanet/network/retinanet.h"

namespace diopter {

/// Every shard starts from the statistics before its batch; what stays is the mean of what they come to, added in the
/// order of the shards: the same bits on whatever rank a shard is. Does nothing where no norm learns statistics.
class ShardStatistics {
 public:
  explicit ShardStatistics(const RetinaNet& model);

  /// Before the first shard of a batch.
  void start();
  /// What a shard's forward pass changed, as bytes; the statistics are as before it again.
  std::string take();
  /// Adds what a shard changed.
  void add(std::string_view change);
  /// The mean of `shards` shards becomes the statistics.
  void finish(int shards);

 private:
  std::vector<float> now() const;

  std::vector<Tensor> statistics_;
  std::vector<float> before_;  // of all of them
  std::vector<double> sum_;    // of the changes
};

}  // namespace diopter
