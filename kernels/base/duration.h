// Durations as people read them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <string>

namespace diopter {

/// "0:48", "12:05" or "1:02:03".
inline std::string format_duration(double seconds) {
  const auto s = static_cast<long long>(std::llround(std::max(0.0, seconds)));
  char text[32];
  if (s < 3600) {
    std::snprintf(text, sizeof text, "%lld:%02lld", s / 60, s % 60);
  } else {
    std::snprintf(text, sizeof text, "%lld:%02lld:%02lld", s / 3600, s / 60 % 60, s % 60);
  }
  return text;
}

}  // namespace diopter
