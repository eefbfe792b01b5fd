// Every loss of the build's list with other values of its parameters: nothing here names one.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "kernels/detection/any_loss.h"

namespace diopter::test {

inline std::string described(const AnyLoss& loss) {
  std::string text = loss_name(loss);
  for_each_parameter(
      loss, [&](const auto& p, float value) { text += std::string(" ") + p.name + " " + std::to_string(value); });
  return text;
}

/// The values to try of each parameter: its default, first; the ends of its range; and, as is asked for, 0, 1 and 2,
/// for which losses have fast versions, or what lies halfway to the ends.
enum class Values { of_fast_versions, between };

inline std::vector<std::vector<float>> values_to_try(const AnyLoss& loss, Values which) {
  std::vector<std::vector<float>> result;
  for_each_parameter(loss, [&](const auto& p, float value) {
    std::vector<float> values{value};
    const auto add = [&](float v) {
      if (p.whole) v = std::round(v);
      if (v >= p.lowest && v <= p.highest && std::count(values.begin(), values.end(), v) == 0) values.push_back(v);
    };
    add(p.lowest);
    add(p.highest);
    if (which == Values::of_fast_versions) {
      for (const float v : {0.0f, 1.0f, 2.0f}) add(v);
    } else {
      add((p.lowest + value) / 2);
      add((p.highest + value) / 2);
    }
    result.push_back(values);
  });
  return result;
}

inline AnyLoss with_parameter(AnyLoss loss, std::size_t which, float value) {
  for_each_parameter(loss, [&](const auto&, float& member) {
    if (which-- == 0) member = value;
  });
  return loss;
}

/// Every loss with its defaults, and with one parameter after the other changed.
inline std::vector<AnyLoss> variations() {
  std::vector<AnyLoss> result;
  for (const AnyLoss& loss : all_losses()) {
    result.push_back(loss);
    const std::vector<std::vector<float>> values = values_to_try(loss, Values::between);
    for (std::size_t i = 0; i < values.size(); ++i) {
      for (std::size_t v = 1; v < values[i].size(); ++v) result.push_back(with_parameter(loss, i, values[i][v]));
    }
  }
  return result;
}

/// Every loss with all combinations of its parameters' values.
inline std::vector<AnyLoss> combinations() {
  std::vector<AnyLoss> result;
  for (const AnyLoss& loss : all_losses()) {
    std::vector<AnyLoss> combined{loss};
    const std::vector<std::vector<float>> values = values_to_try(loss, Values::of_fast_versions);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::vector<AnyLoss> before = combined;
      for (std::size_t v = 1; v < values[i].size(); ++v) {
        for (const AnyLoss& b : before) combined.push_back(with_parameter(b, i, values[i][v]));
      }
    }
    result.insert(result.end(), combined.begin(), combined.end());
  }
  return result;
}

}  // namespace diopter::test
