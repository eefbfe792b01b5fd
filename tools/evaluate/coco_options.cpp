#include "tools/evaluate/coco_options.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <string_view>
#include <unordered_map>

#include "kernels/base/check.h"
#include "kernels/base/text.h"

namespace diopter {

namespace {

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  for (std::size_t end = text.find(separator); end != std::string::npos; end = text.find(separator, begin)) {
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  parts.push_back(text.substr(begin));
  return parts;
}

double number(const std::string& text, const std::string& option) {
  const std::optional<double> value = parse_number(text);
  DIOPTER_CHECK(value && std::isfinite(*value), option, ": '", text, "' is not a number");
  return *value;
}

std::vector<double> thresholds(const std::string& text) {
  const std::string option = "--iou " + text;
  std::vector<double> values;
  const std::vector<std::string> range = split(text, ':');
  if (range.size() == 1) {
    for (const std::string& part : split(text, ',')) values.push_back(number(part, option));
  } else {
    DIOPTER_CHECK(range.size() == 3, option, ": must be a list, 0.5,0.75, or FIRST:LAST:STEP, 0.5:0.95:0.05");
    const double first = number(range[0], option), last = number(range[1], option), step = number(range[2], option);
    DIOPTER_CHECK(step > 0 && last > first, option, ": the step must be positive and the last above the first");
    const double steps = std::round((last - first) / step);
    DIOPTER_CHECK(steps >= 1 && steps < kMostThresholds, option, ": there may be at most ", kMostThresholds,
                  " thresholds");
    for (double i = 0; i < steps; ++i) values.push_back(i * ((last - first) / steps) + first);
    values.push_back(last);
  }
  DIOPTER_CHECK(values.size() <= kMostThresholds, option, ": there may be at most ", kMostThresholds, " thresholds");
  DIOPTER_CHECK(std::adjacent_find(values.begin(), values.end(), std::greater_equal<>()) == values.end(), option,
                ": must ascend");
  DIOPTER_CHECK(values.front() >= 0 && values.back() <= 1, option, ": must be from 0 to 1");
  return values;
}

AreaRange area_between(const std::string& name, double low, std::optional<double> high, const std::string& option) {
  DIOPTER_CHECK(low >= 0 && low * low < kLargestArea && (!high || (*high > low && *high * *high <= kLargestArea)),
                option, ": ", name, ": sides must ascend, from 0 to 100000");
  return {name, low * low, high ? *high * *high : kLargestArea};
}

std::vector<AreaRange> areas(const std::string& text) {
  const std::string option = "--areas " + text;
  std::vector<AreaRange> areas = {coco_areas()[kAll]};
  const std::vector<std::string> parts = split(text, ',');
  if (text.find(':') == std::string::npos) {
    std::string low = "0";
    for (const std::string& high : parts) {
      areas.push_back(area_between(low + "-" + high, number(low, option), number(high, option), option));
      low = high;
    }
    areas.push_back(area_between(low + "-", number(low, option), {}, option));
    return areas;
  }
  for (const std::string& part : parts) {
    const std::vector<std::string> fields = split(part, ':');
    DIOPTER_CHECK(fields.size() == 3 && !fields[0].empty(), option, ": '", part,
                  "' must be NAME:LOW:HIGH, sides in pixels, as small:0:32, or large:96: without an end");
    const bool known = std::any_of(areas.begin(), areas.end(), [&](const AreaRange& a) { return a.name == fields[0]; });
    DIOPTER_CHECK(!known, option, ": there is ", fields[0] == "all" ? "always" : "already", " an area called ",
                  fields[0]);
    areas.push_back(area_between(fields[0], number(fields[1], option),
                                 fields[2].empty() ? std::nullopt : std::optional(number(fields[2], option)), option));
  }
  return areas;
}

std::vector<int> max_detections(const std::string& text) {
  const std::string option = "--max-detections " + text;
  std::vector<int> values;
  for (const std::string& part : split(text, ',')) {
    const double value = number(part, option);
    DIOPTER_CHECK(value >= 1 && value <= std::numeric_limits<int>::max() && value == std::floor(value), option, ": '",
                  part, "' is not a whole number from 1 on");
    DIOPTER_CHECK(values.empty() || value > values.back(), option, ": must ascend");
    values.push_back(static_cast<int>(value));
  }
  return values;
}

/// Position of the category of that name, or else of that id.
std::size_t category_position(const Dataset& truth, const std::string& wanted, const std::string& option) {
  const auto is_named = [&](const Category& category) { return category.name == wanted; };
  const auto has_id = [&](const Category& category) { return std::to_string(category.id) == wanted; };
  auto found = std::find_if(truth.categories.begin(), truth.categories.end(), is_named);
  if (found == truth.categories.end()) found = std::find_if(truth.categories.begin(), truth.categories.end(), has_id);
  std::vector<std::string> names;
  for (const Category& category : truth.categories) names.push_back(category.name);
  DIOPTER_CHECK(found != truth.categories.end(), option, ": '", wanted,
                "' is neither name nor id of a category; there are ", quoted_list(names));
  return static_cast<std::size_t>(found - truth.categories.begin());
}

}  // namespace

CocoSettings coco_settings(const CocoOptions& options) {
  CocoSettings settings;
  if (!options.iou.empty()) settings.thresholds = thresholds(options.iou);
  if (!options.areas.empty()) settings.areas = areas(options.areas);
  if (!options.max_detections.empty()) settings.max_detections = max_detections(options.max_detections);
  return settings;
}

double voc_threshold(const std::string& iou) {
  if (iou.empty()) return 0.5;
  const double threshold = number(iou, "--iou " + iou);
  DIOPTER_CHECK(threshold >= 0 && threshold <= 1, "--iou ", iou, ": must be from 0 to 1");
  return threshold;
}

void select_categories(Dataset& truth, std::vector<Detection>& detections, const std::string& wanted) {
  std::vector<char> chosen(truth.categories.size());
  for (const std::string& name : split(wanted, ',')) chosen[category_position(truth, name, "--categories")] = true;
  std::vector<int> number(chosen.size(), -1);
  std::unordered_map<std::int64_t, bool> known;
  std::vector<Category> categories;
  for (std::size_t k = 0; k < chosen.size(); ++k) {
    known.emplace(truth.categories[k].id, chosen[k]);
    if (!chosen[k]) continue;
    number[k] = static_cast<int>(categories.size());
    categories.push_back(truth.categories[k]);
  }
  for (ImageRecord& image : truth.images) {
    std::erase_if(image.annotations, [&](const Annotation& a) { return number[a.category] < 0; });
    for (Annotation& annotation : image.annotations) annotation.category = number[annotation.category];
  }
  truth.categories = std::move(categories);
  std::erase_if(detections, [&](const Detection& detection) {
    const auto found = known.find(detection.category_id);
    return found != known.end() && !found->second;
  });
}

void renumber_annotations(Dataset& truth) {
  std::int64_t next = 1;
  for (ImageRecord& image : truth.images) {
    for (Annotation& annotation : image.annotations) annotation.id = next++;
  }
}

}  // namespace diopter
