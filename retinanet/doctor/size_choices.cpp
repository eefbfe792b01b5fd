#include "retinanet/doctor/size_choices.h"

#include <algorithm>
#include <cmath>

#include "data/spread_sample.h"
#include "data/tiles.h"
#include "retinanet/config/configure.h"
#include "retinanet/doctor/anchor_advice.h"
#include "retinanet/doctor/anchor_coverage.h"
#include "retinanet/network/input.h"

namespace diopter {

namespace {

constexpr std::int64_t kPictures = 400;
constexpr double kWorthTiles = 1.5;  // pictures, by their tile, from which on tiles are a choice

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

SizeChoice choice_of(const Config& base, const std::vector<std::string>& settings, const Dataset& sample) {
  Config config = base;
  apply_settings(config, parse_settings(settings));
  SizeChoice choice{settings, 0, anchor_coverage(config, sample).all.foreground_share(), 0};
  std::vector<double> sizes;
  for (const ImageRecord& record : sample.images) {
    for (const TargetBox& t : input_targets(record, input_size(config, record.width, record.height))) {
      if (t.label >= 0) sizes.push_back(std::sqrt(static_cast<double>((t.box.x2 - t.box.x1) * (t.box.y2 - t.box.y1))));
    }
    for (const Window& view : views_of(tile_rule(config), record.width, record.height)) {
      const InputSize input = input_size(config, view.width, view.height);
      choice.pixels += static_cast<double>(input.padded_width) * input.padded_height;
    }
  }
  choice.object = median(sizes);
  choice.pixels /= static_cast<double>(sample.images.size());
  return choice;
}

/// Tiles of side x side pixels that reach the network as they are.
std::vector<std::string> tiles_of(const Config& config, int side) {
  const std::string size = std::to_string(side);
  std::vector<std::string> settings{"input.tile=" + size, "input.max_size=" + size};
  if (config.input.resize == ResizeRule::Kind::shorter_side) settings.push_back("input.min_sizes=[" + size + "]");
  return settings;
}

bool enlarges(const std::vector<std::string>& settings) {
  return std::find(settings.begin(), settings.end(), "input.enlarge=true") != settings.end();
}

}  // namespace

std::vector<SizeChoice> size_choices(const Config& config, const Dataset& dataset) {
  const Dataset sample = spread_sample(dataset, kPictures);
  std::vector<SizeChoice> choices{choice_of(config, {}, sample)};
  if (config.input.tile > 0) return choices;
  for (const double factor : {1.5, 2.0, 3.0, 4.0, 6.0, 8.0}) {
    const std::vector<std::string> larger = enlarged_input(config, sample, factor);
    if (larger.empty() || enlarges(larger)) break;
    choices.push_back(choice_of(config, larger, sample));
  }
  std::vector<double> longer;
  for (const ImageRecord& record : sample.images) longer.push_back(std::max(record.width, record.height));
  for (const int side : {320, 640, 1280}) {
    if (median(longer) >= kWorthTiles * side) choices.push_back(choice_of(config, tiles_of(config, side), sample));
  }
  std::stable_sort(choices.begin() + 1, choices.end(),
                   [](const SizeChoice& a, const SizeChoice& b) { return a.pixels < b.pixels; });
  return choices;
}

const SizeChoice* sufficient_choice(const std::vector<SizeChoice>& choices) {
  for (std::size_t i = 1; i < choices.size(); ++i) {
    if (choices[i].object >= kTellingApart && choices[i].coverage >= choices[0].coverage) return &choices[i];
  }
  return nullptr;
}

}  // namespace diopter
