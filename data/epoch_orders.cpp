#include "data/epoch_orders.h"

#include <numeric>
#include <utility>

namespace diopter {

Philox random_stream(std::uint64_t seed, Purpose purpose, std::int64_t epoch, std::int64_t position) {
  return Philox(seed, static_cast<std::uint64_t>(purpose) << 60 | static_cast<std::uint64_t>(epoch) << 32 |
                          static_cast<std::uint64_t>(position));
}

std::shared_ptr<const std::vector<int>> EpochOrders::of(std::int64_t epoch) {
  const std::lock_guard lock(mutex_);
  std::shared_ptr<const std::vector<int>>& known = orders_[epoch];
  if (known) return known;
  std::vector<int> indices(count_);
  std::iota(indices.begin(), indices.end(), 0);
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
