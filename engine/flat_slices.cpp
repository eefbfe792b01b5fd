#include "engine/flat_slices.h"

#include <algorithm>

namespace diopter {

namespace {

std::int64_t runs_of(std::int64_t floats) { return (floats + FlatSlices::kRun - 1) / FlatSlices::kRun; }

}  // namespace

FlatSlices::FlatSlices(std::int64_t size, std::int64_t rest, const FlatOwner& owner) : size_(size), owner_(owner) {
  if (owner.ranks == 1) {
    buckets_.push_back({0, size});
  } else {
    constexpr std::int64_t kMost = kMostBytes / std::int64_t{sizeof(float)} / kRun * kRun;
    const std::int64_t end = rest / kRun * kRun;
    const std::int64_t each = std::clamp(runs_of((end + kBuckets - 1) / kBuckets) * kRun, kRun, kMost);
    const auto cut = [&](std::int64_t from, std::int64_t to, std::int64_t most) {
      for (; from < to; from += most) buckets_.push_back({from, std::min(from + most, to)});
    };
    cut(0, end, each);
    for (std::size_t bucket = buckets_.size(); bucket-- > 0;) order_.push_back(bucket);
    cut(end, size, kMost);
  }
  for (std::size_t bucket = order_.size(); bucket < buckets_.size(); ++bucket) order_.push_back(bucket);
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    owned_.push_back(slice(bucket, owner.rank));
    owned_size_ += owned_.back().size();
  }
}

FlatRange FlatSlices::slice(std::size_t bucket, int rank) const {
  const FlatRange& whole = buckets_[bucket];
  // Which ranks have a run more than others takes turns.
  const std::int64_t turn = static_cast<std::int64_t>(bucket) % owner_.ranks;
  const auto edge = [&](std::int64_t r) {
    return std::min(whole.begin + (runs_of(whole.size()) * r + turn) / owner_.ranks * kRun, whole.end);
  };
  return {edge(rank), edge(rank + 1)};
}

}  // namespace diopter
