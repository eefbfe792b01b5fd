// How the ranks of a training share the flat buffers of an optimizer.
#pragma once

#include <cstdint>
#include <vector>

namespace diopter {

/// Floats [begin, end) of a flat buffer.
struct FlatRange {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
};

/// One of the processes that train together.
struct FlatOwner {
  int rank = 0, ranks = 1;
};

/// A flat buffer is cut into buckets, which pass through the network one by one, and each bucket into a slice for each
/// rank, its owner: the shares of any two ranks of a bucket differ by one run at most. A single rank owns all as one
/// bucket.
class FlatSlices {
 public:
  /// Floats: slices begin at whole runs, whose sums are therefore the same for any number of ranks.
  static constexpr std::int64_t kRun = 1024;
  /// Buckets that the buffer is cut into, where it is large enough and these are at most kMostBytes each.
  static constexpr std::int64_t kBuckets = 8, kMostBytes = 25 << 20;

  /// Floats that a parameter takes: whole 16 bytes, so that each begins where a GPU can read so many at once. What is
  /// between them stays zero.
  static std::int64_t padded(std::int64_t count) { return (count + 3) / 4 * 4; }

  /// Of `size` floats; those from `rest` on, norms and biases, are a bucket of their own: small, and final only when a
  /// backward pass ends.
  FlatSlices(std::int64_t size, std::int64_t rest, const FlatOwner& owner);

  std::int64_t size() const { return size_; }
  const FlatOwner& owner() const { return owner_; }
  const std::vector<FlatRange>& buckets() const { return buckets_; }
  FlatRange slice(std::size_t bucket, int rank) const;
  /// Buckets in the order in which a backward pass is through with them: weights lie as the network applies them, so
  /// the last ones first, then the rest. All ranks have the same.
  const std::vector<std::size_t>& order_of_leaving() const { return order_; }
  /// This rank's slices, by bucket.
  const std::vector<FlatRange>& owned() const { return owned_; }
  /// Floats of them together.
  std::int64_t owned_size() const { return owned_size_; }

 private:
  std::int64_t size_, owned_size_ = 0;
  FlatOwner owner_;
  std::vector<FlatRange> buckets_, owned_;
  std::vector<std::size_t> order_;
};

}  // namespace diopter
