#include "kernels/detection/candidates/nms.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "kernels/base/parallel.h"
#include "kernels/detection/candidates/nms_grid.h"
#include "kernels/detection/candidates/sort_key.h"

namespace diopter::cpu {

namespace {

constexpr std::int64_t kPiece = 512;  // boxes that are worth a piece of work of their own

using Keys = std::vector<std::uint64_t>;

/// Sorts keys whose lower halves rise: by the upper half alone, which a stable sort digit by digit does in linear time.
void sort_by_upper_half(Keys& keys) {
  constexpr int kBits = 11, kDigits = 1 << kBits, kFew = 400;
  if (keys.size() < kFew) return std::sort(keys.begin(), keys.end());
  const auto digit = [](std::uint64_t key, int pass) { return key >> (32 + pass * kBits) & (kDigits - 1); };
  std::array<std::array<std::uint32_t, kDigits>, 3> counts{};
  for (const std::uint64_t key : keys) {
    for (int pass = 0; pass < 3; ++pass) ++counts[pass][digit(key, pass)];
  }
  Keys sorted(keys.size());
  for (int pass = 0; pass < 3; ++pass) {
    std::array<std::uint32_t, kDigits>& place = counts[pass];
    if (place[digit(keys[0], pass)] == keys.size()) continue;  // all have the same digit
    std::uint32_t sum = 0;
    for (std::uint32_t& count : place) sum += std::exchange(count, sum);
    for (const std::uint64_t key : keys) sorted[place[digit(key, pass)]++] = key;
    keys.swap(sorted);
  }
}

/// The boxes of an image in order. A rank is a box's place by score and index.
struct ImageOrder {
  Keys by_rank;                // score, index
  Keys by_class;               // class, rank
  std::vector<char> survives;  // by rank

  ImageOrder() = default;
  ImageOrder(const NmsArgs& args, std::int64_t image) : by_rank(args.counts[image]), survives(by_rank.size()) {
    const std::int64_t first = image * args.capacity;  // of the image's boxes
    const float* scores = args.scores + first;
    const std::uint32_t count = static_cast<std::uint32_t>(by_rank.size());
    for (std::uint32_t i = 0; i < count; ++i) by_rank[i] = sort_key(descending_bits(scores[i]), i);
    sort_by_upper_half(by_rank);
    by_class.reserve(count);
    for (std::uint32_t rank = 0; rank < count; ++rank) {
      const std::uint32_t label = args.class_aware ? static_cast<std::uint32_t>(args.labels[first + index(rank)]) : 0;
      by_class.push_back(sort_key(label, rank));
    }
    if (args.class_aware) sort_by_upper_half(by_class);
  }
  std::uint32_t index(std::size_t rank) const { return lower_half(by_rank[rank]); }
};

/// Boxes of one image that can suppress each other: [begin, end) of its by_class.
struct Group {
  std::int64_t image;
  std::size_t begin, end;
};

std::vector<Group> groups_of(const std::vector<ImageOrder>& orders) {
  std::vector<Group> groups;
  for (std::size_t image = 0; image < orders.size(); ++image) {
    const Keys& keys = orders[image].by_class;
    for (std::size_t begin = 0, end = 0; begin < keys.size(); begin = end) {
      while (end < keys.size() && upper_half(keys[end]) == upper_half(keys[begin])) ++end;
      groups.push_back({static_cast<std::int64_t>(image), begin, end});
    }
  }
  return groups;
}

/// Goes through groups one after another.
class Suppressor {
 public:
  explicit Suppressor(const NmsArgs& args) : args_(args), kept_(args.iou_threshold) {}

  /// Sets order.survives for the group's boxes.
  void run(const Group& group, ImageOrder& order) {
    boxes_.clear();
    for (std::size_t i = group.begin; i < group.end; ++i) {
      const std::uint32_t index = order.index(lower_half(order.by_class[i]));
      boxes_.push_back(box_at(args_.boxes, group.image * args_.capacity + index));
    }
    kept_.start(boxes_);
    // A group's box after max_kept better ones of the same group is never among the image's best max_kept.
    for (std::size_t i = 0; i < boxes_.size() && kept_.size() < args_.max_kept; ++i) {
      const float area = box_area(boxes_[i]);
      if (kept_.suppress(boxes_[i], area)) continue;
      kept_.add(boxes_[i], area);
      order.survives[lower_half(order.by_class[group.begin + i])] = 1;
    }
  }

 private:
  const NmsArgs& args_;
  std::vector<Box> boxes_;  // in order
  KeptBoxes kept_;
};

}  // namespace

void batched_nms(const NmsArgs& args) {
  std::vector<ImageOrder> orders(args.images);
  parallel_for(args.images, 1, [&](std::int64_t image, std::int64_t) { orders[image] = ImageOrder(args, image); });

  const std::vector<Group> groups = groups_of(orders);
  std::int64_t boxes = 0;
  for (const ImageOrder& order : orders) boxes += static_cast<std::int64_t>(order.by_rank.size());
  const std::int64_t count = static_cast<std::int64_t>(groups.size()), grain = 1 + kPiece * count / (boxes + 1);
  parallel_for(count, grain, [&](std::int64_t begin, std::int64_t end) {
    Suppressor suppressor(args);
    for (std::int64_t g = begin; g < end; ++g) suppressor.run(groups[g], orders[groups[g].image]);
  });

  parallel_for(args.images, 1, [&](std::int64_t image, std::int64_t) {
    const ImageOrder& order = orders[image];
    std::int32_t* keep = args.keep + image * args.max_kept;
    std::int32_t kept = 0;
    for (std::size_t rank = 0; rank < order.survives.size() && kept < args.max_kept; ++rank) {
      if (order.survives[rank]) keep[kept++] = static_cast<std::int32_t>(order.index(rank));
    }
    args.kept[image] = kept;
  });
}

void gather_kept(const GatherArgs& args) {
  for (std::int64_t image = 0; image < args.images; ++image) {
    for (int i = 0; i < args.max_kept; ++i) args.out[image * args.max_kept + i] = kept_box(args, image, i);
  }
}

}  // namespace diopter::cpu
