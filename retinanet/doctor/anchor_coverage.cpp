#include "retinanet/doctor/anchor_coverage.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

#include "data/spread_sample.h"
#include "kernels/base/parallel.h"
#include "retinanet/detection/anchors_for_levels.h"
#include "retinanet/detection/targets.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

/// The grid points (index along one axis) on both sides of where the centres would meet.
std::pair<int, int> neighbours(float box_centre, float cell_centre, float stride, float offset, int count) {
  const float at = (box_centre - cell_centre) / stride - offset;
  const int below = static_cast<int>(std::clamp(std::floor(at), 0.0f, static_cast<float>(count - 1)));
  return {below, std::min(below + 1, count - 1)};
}

/// Empty bins, each up to (but without) its end.
std::vector<CoverageBin> size_bins() {
  return {{"below 8 px", 8},     {"8 to 16 px", 16},     {"16 to 32 px", 32},    {"32 to 64 px", 64},
          {"64 to 128 px", 128}, {"128 to 256 px", 256}, {"256 to 512 px", 512}, {"512 px and more", HUGE_VAL}};
}

std::vector<CoverageBin> ratio_bins() {
  return {{"h:w below 1:3", 1 / 3.0},
          {"h:w 1:3 to 2:3", 2 / 3.0},
          {"h:w 2:3 to 3:2", 1.5},
          {"h:w 3:2 to 3:1", 3},
          {"h:w 3:1 and more", HUGE_VAL}};
}

CoverageBin& bin_of(std::vector<CoverageBin>& bins, double value) {
  return *std::find_if(bins.begin(), bins.end() - 1, [value](const CoverageBin& bin) { return value < bin.end; });
}

void count(CoverageBin& bin, float iou, const Config::Match& match) {
  ++bin.boxes;
  bin.foreground += iou >= static_cast<float>(match.foreground_iou);
  bin.background += iou >= static_cast<float>(match.background_iou);
}

void drop_empty(std::vector<CoverageBin>& bins) {
  std::erase_if(bins, [](const CoverageBin& bin) { return bin.boxes == 0; });
}

/// A batch of one picture without pixels.
Batch boxes_only(const std::vector<TargetBox>& targets) {
  Batch batch;
  batch.images = 1;
  for (const auto& [box, label] : targets) {
    batch.boxes.insert(batch.boxes.end(), {box.x1, box.y1, box.x2, box.y2});
    batch.labels.push_back(label);
  }
  batch.offsets = {0, static_cast<std::int32_t>(targets.size())};
  return batch;
}

/// Largest IoU of each of the picture's boxes with an anchor that was assigned to it; -1 where there is none.
std::vector<float> assigned_iou(const AnchorGrid& grid, const std::vector<std::int32_t>& matches,
                                const std::vector<TargetBox>& targets) {
  std::vector<float> best(targets.size(), -1);
  for (int l = 0; l < grid.levels; ++l) {
    const std::int32_t* level_matches = matches.data() + grid.level_offset(l);
    for (std::int64_t i = 0; i < grid.level_size(l); ++i) {
      const std::int32_t match = level_matches[i];
      if (match >= 0) best[match] = std::max(best[match], box_iou(grid.box(l, i), targets[match].box));
    }
  }
  return best;
}

}  // namespace

float best_anchor_iou(const AnchorGrid& grid, const Box& box) {
  const float centre_x = (box.x1 + box.x2) / 2, centre_y = (box.y1 + box.y2) / 2;
  float best = 0;
  for (int l = 0; l < grid.levels; ++l) {
    const AnchorLevel& level = grid.level[l];
    for (int c = 0; c < grid.cells; ++c) {
      const Box& cell = level.cell[c];
      const auto [left, right] = neighbours(centre_x, (cell.x1 + cell.x2) / 2, level.stride_x, grid.offset, level.w);
      const auto [top, bottom] = neighbours(centre_y, (cell.y1 + cell.y2) / 2, level.stride_y, grid.offset, level.h);
      for (int y : {top, bottom}) {
        for (int x : {left, right}) {
          best = std::max(best, box_iou(grid.box(l, (std::int64_t{y} * level.w + x) * grid.cells + c), box));
        }
      }
    }
  }
  return best;
}

AnchorGrid anchors_of_input(const Config& config, int padded_width, int padded_height) {
  return anchors_for_levels(config, pyramid_levels(config.model, 1, padded_width, padded_height), padded_width,
                            padded_height);
}

Coverage anchor_coverage(const Config& config, const Dataset& dataset) {
  struct Placed {
    Box box;
    const AnchorGrid* grid;
  };
  std::map<std::pair<int, int>, AnchorGrid> grids;
  std::vector<Placed> placed;
  Coverage coverage;
  coverage.all.name = "all";
  coverage.by_size = size_bins();
  coverage.by_ratio = ratio_bins();
  for (const ImageRecord& record : dataset.images) {
    const InputSize size = input_size(config, record.width, record.height);
    const auto [grid, is_new] = grids.try_emplace({size.padded_width, size.padded_height});
    if (is_new) grid->second = anchors_of_input(config, size.padded_width, size.padded_height);
    for (const TargetBox& target : input_targets(record, size)) {
      if (target.label >= 0) placed.push_back({target.box, &grid->second});
    }
    coverage.anchors_per_picture +=
        static_cast<double>(grid->second.size()) / static_cast<double>(dataset.images.size());
  }

  std::vector<float> best(placed.size());
  parallel_for(static_cast<std::int64_t>(placed.size()), 256, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) best[i] = best_anchor_iou(*placed[i].grid, placed[i].box);
  });
  for (std::size_t i = 0; i < placed.size(); ++i) {
    const Box& b = placed[i].box;
    const double w = b.x2 - b.x1, h = b.y2 - b.y1;
    count(coverage.all, best[i], config.match);
    count(bin_of(coverage.by_size, std::sqrt(w * h)), best[i], config.match);
    count(bin_of(coverage.by_ratio, h / w), best[i], config.match);
    coverage.mean_iou += static_cast<double>(best[i]) / static_cast<double>(placed.size());
  }
  drop_empty(coverage.by_size);
  drop_empty(coverage.by_ratio);
  return coverage;
}

AnchorMatches match_pictures(const Config& config, const Dataset& dataset, std::int64_t most) {
  AnchorMatches result;
  result.positives_of_class.resize(dataset.categories.size());
  std::vector<double> positives;
  const Dataset sample = with_tiles_as_pictures(spread_sample(dataset, most), tile_rule(config));
  for (const ImageRecord& record : spread_sample(sample, most).images) {
    const InputSize size = input_size(config, record.width, record.height);
    const AnchorGrid grid = anchors_of_input(config, size.padded_width, size.padded_height);
    const std::vector<TargetBox> targets = input_targets(record, size);
    const AnchorTargets matched = make_targets(config, grid, boxes_only(targets));
    const std::int64_t found = matched.positives.to_vector<std::int32_t>()[0];
    const std::vector<std::int32_t> labels = matched.labels.to_vector<std::int32_t>();
    const std::int64_t ignored = std::count(labels.begin(), labels.end(), kIgnore);
    ++result.pictures;
    for (const std::int32_t label : labels) {
      if (label >= 0) ++result.positives_of_class[label];
    }
    result.positives += found;
    result.ignored += ignored;
    result.background += grid.size() - found - ignored;
    positives.push_back(static_cast<double>(found));

    const std::vector<float> best = assigned_iou(grid, matched.matches.to_vector<std::int32_t>(), targets);
    for (std::size_t i = 0; i < targets.size(); ++i) {
      if (targets[i].label < 0) continue;
      ++result.objects;
      result.unmatched += best[i] < 0;
      const bool by_iou = config.match.rule == MatchKind::iou;
      result.low_quality += by_iou && best[i] >= 0 && best[i] < static_cast<float>(config.match.foreground_iou);
    }
  }
  result.positives_per_picture = spread_of(std::move(positives));
  return result;
}

}  // namespace diopter
