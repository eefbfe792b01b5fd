#include "kernels/detection/nms.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "kernels/common/parallel.h"

namespace diopter::cpu {

namespace {

/// Boxes of one image that can suppress each other: [begin, end) of the image's order.
struct Group {
  std::int64_t image, begin, end;
};

/// The boxes kept so far, as columns in blocks: a block is tested without branches, which vectorises.
class KeptBoxes {
 public:
  int size() const { return size_; }

  void add(const Box& box, float area) {
    if (size_ % kBlock == 0) blocks_.emplace_back();
    Block& block = blocks_.back();
    const int i = size_++ % kBlock;
    block.x1[i] = box.x1, block.y1[i] = box.y1, block.x2[i] = box.x2, block.y2[i] = box.y2, block.area[i] = area;
  }

  bool suppress(const Box& box, float area, float threshold) const {
    for (const Block& b : blocks_) {
      int hit = 0;
      for (int i = 0; i < kBlock; ++i) {
        hit |= overlaps_more({b.x1[i], b.y1[i], b.x2[i], b.y2[i]}, b.area[i], box, area, threshold);
      }
      if (hit) return true;
    }
    return false;
  }

 private:
  static constexpr int kBlock = 32;
  struct Block {
    float x1[kBlock] = {}, y1[kBlock] = {}, x2[kBlock] = {}, y2[kBlock] = {}, area[kBlock];
    Block() { std::fill_n(area, kBlock, NAN); }  // free places: no comparison with NaN holds
  };
  std::vector<Block> blocks_;
  int size_ = 0;
};

}  // namespace

void batched_nms(const NmsArgs& args) {
  // Per image: indices by label, score descending, index. What shares a label then lies together, in order.
  std::vector<std::vector<std::int32_t>> orders(args.images);
  const auto better = [&](std::int64_t image, std::int32_t a, std::int32_t b) {
    const float* scores = args.scores + image * args.capacity;
    return scores[a] > scores[b] || (scores[a] == scores[b] && a < b);
  };
  const auto label = [&](std::int64_t image, std::int32_t i) {
    return args.class_aware ? args.labels[image * args.capacity + i] : 0;
  };
  parallel_for(args.images, 1, [&](std::int64_t image, std::int64_t) {
    std::vector<std::int32_t>& order = orders[image];
    order.resize(args.counts[image]);
    std::iota(order.begin(), order.end(), 0);
    std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
      return label(image, a) != label(image, b) ? label(image, a) < label(image, b) : better(image, a, b);
    });
  });

  std::vector<Group> groups;
  for (std::int64_t image = 0; image < args.images; ++image) {
    const std::vector<std::int32_t>& order = orders[image];
    const std::int64_t count = static_cast<std::int64_t>(order.size());
    for (std::int64_t begin = 0, end = 0; begin < count; begin = end) {
      while (end < count && label(image, order[end]) == label(image, order[begin])) ++end;
      groups.push_back({image, begin, end});
    }
  }

  std::vector<std::vector<std::int32_t>> survivors(groups.size());
  parallel_for(static_cast<std::int64_t>(groups.size()), 1, [&](std::int64_t g, std::int64_t) {
    const Group& group = groups[g];
    KeptBoxes kept;
    // A group's box after max_kept better ones of the same group is never among the image's best max_kept.
    for (std::int64_t i = group.begin; i < group.end && kept.size() < args.max_kept; ++i) {
      const std::int32_t index = orders[group.image][i];
      const float* b = args.boxes + (group.image * args.capacity + index) * 4;
      const Box box{b[0], b[1], b[2], b[3]};
      const float area = box_area(box);
      if (kept.suppress(box, area, args.iou_threshold)) continue;
      kept.add(box, area);
      survivors[g].push_back(index);
    }
  });

  std::vector<std::vector<std::int32_t>> kept(args.images);
  for (std::size_t g = 0; g < groups.size(); ++g) {
    std::vector<std::int32_t>& all = kept[groups[g].image];
    all.insert(all.end(), survivors[g].begin(), survivors[g].end());
  }
  parallel_for(args.images, 1, [&](std::int64_t image, std::int64_t) {
    std::vector<std::int32_t>& all = kept[image];
    std::sort(all.begin(), all.end(), [&](std::int32_t a, std::int32_t b) { return better(image, a, b); });
    all.resize(std::min(all.size(), static_cast<std::size_t>(args.max_kept)));
    std::copy(all.begin(), all.end(), args.keep + image * args.max_kept);
    args.kept[image] = static_cast<std::int32_t>(all.size());
  });
}

}  // namespace diopter::cpu
