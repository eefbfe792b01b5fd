#include "kernels/base/did_you_mean.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "kernels/base/text.h"

namespace diopter {

namespace {

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) {
    for (std::size_t j = 0; j <= b.size(); ++j) {
      if (i == 0 || j == 0) {
        d[i][j] = i + j;
        continue;
      }
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] != b[j - 1])});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
      }
    }
  }
  return d[a.size()][b.size()];
}

}  // namespace

std::string nearest_name(const std::string& typed, const std::vector<std::string>& names) {
  std::string nearest;
  std::size_t least = std::numeric_limits<std::size_t>::max();
  for (const std::string& name : names) {
    const auto is_nearer = [&](std::size_t distance) { return distance < least && 2 * distance <= name.size(); };
    // At least as many letters are inserted as one has more than the other.
    if (!is_nearer(std::max(typed.size(), name.size()) - std::min(typed.size(), name.size()))) continue;
    const std::size_t distance = edit_distance(typed, name);
    if (is_nearer(distance)) {
      least = distance;
      nearest = name;
    }
  }
  return nearest;
}

std::string hint(const std::string& typed, const std::vector<std::string>& known) {
  const std::string nearest = nearest_name(typed, known);
  return nearest.empty() ? "" : "; the nearest is " + nearest;
}

std::string hint_with_list(const std::string& typed, const std::vector<std::string>& known) {
  return hint(typed, known) + (known.empty() ? " (there are none)" : " (there are " + join(known) + ")");
}

}  // namespace diopter
