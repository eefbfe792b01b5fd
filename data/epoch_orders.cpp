#include "data/epoch_orders.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "kernels/base/check.h"

namespace diopter {

Philox random_stream(std::uint64_t seed, Purpose purpose, std::int64_t epoch, std::int64_t position) {
  return Philox(seed, static_cast<std::uint64_t>(purpose) << 60 | static_cast<std::uint64_t>(epoch) << 32 |
                          static_cast<std::uint64_t>(position));
}

EpochOrders::EpochOrders(std::uint64_t seed, std::int64_t count, std::vector<double> repeats)
    : seed_(seed), count_(count), repeats_(std::move(repeats)) {
  DIOPTER_CHECK(repeats_.empty() || std::ssize(repeats_) == count_, repeats_.size(), " repeat factors for ", count_,
                " pictures");
}

std::vector<int> EpochOrders::pictures(std::int64_t epoch) const {
  std::vector<int> indices;
  if (repeats_.empty()) {
    indices.resize(count_);
    std::iota(indices.begin(), indices.end(), 0);
    return indices;
  }
  for (std::int64_t i = 0; i < count_; ++i) {
    const double whole = std::floor(repeats_[i]), rest = repeats_[i] - whole;
    const bool further = static_cast<double>(random_stream(seed_, Purpose::repeat, epoch, i).uniform()) < rest;
    indices.insert(indices.end(), static_cast<std::size_t>(whole) + (further ? 1 : 0), static_cast<int>(i));
  }
  return indices;
}

EpochOrders::Place EpochOrders::place(std::int64_t i) {
  if (repeats_.empty()) return {i / count_, i % count_};
  const std::lock_guard lock(mutex_);
  while (ends_.empty() || ends_.back() <= i) {
    const std::int64_t epoch = std::ssize(ends_);
    ends_.push_back((ends_.empty() ? 0 : ends_.back()) + std::ssize(pictures(epoch)));
  }
  const std::int64_t epoch = std::upper_bound(ends_.begin(), ends_.end(), i) - ends_.begin();
  return {epoch, i - (epoch > 0 ? ends_[epoch - 1] : 0)};
}

std::shared_ptr<const std::vector<int>> EpochOrders::of(std::int64_t epoch) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const std::vector<int>>& known = orders_[epoch];
  if (known) return known;
  std::vector<int> indices = pictures(epoch);
  Philox random = random_stream(seed_, Purpose::order, epoch, 0);
  for (std::size_t i = indices.size(); i > 1; --i) {  // Fisher-Yates
    std::swap(indices[i - 1], indices[random.below(static_cast<std::uint32_t>(i))]);
  }
  const auto made = known = std::make_shared<const std::vector<int>>(std::move(indices));
  if (orders_.size() > kMost) orders_.erase(orders_.begin());
  return made;
}

std::size_t EpochOrders::kept() const {
  const std::lock_guard lock(mutex_);
  return orders_.size();
}

}  // namespace diopter
