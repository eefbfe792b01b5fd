#include "kernels/base/process.h"

#include <sys/resource.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <optional>

namespace diopter {

namespace {

constexpr std::int64_t kUnlimited = std::numeric_limits<std::int64_t>::max();

/// The number behind a word of a file, as "MemAvailable:" or "inactive_file".
std::optional<std::int64_t> number_behind(const std::string& file, const std::string& word) {
  std::ifstream in(file);
  for (std::string text; in >> text;) {
    std::int64_t number = 0;
    if (text == word && in >> number) return number;
  }
  return {};
}

/// A file that holds a number; nothing for one that holds "max".
std::optional<std::int64_t> number_in(const std::string& file) {
  std::ifstream in(file);
  std::int64_t number = 0;
  return in >> number ? std::optional(number) : std::nullopt;
}

/// What the machine has: free memory, caches that can be dropped, and swap.
std::int64_t left_by_machine() {
  const auto kib = [](const char* word) { return number_behind("/proc/meminfo", word); };
  const auto available = kib("MemAvailable:");
  return available ? 1024 * (*available + kib("SwapFree:").value_or(0)) : kUnlimited;
}

/// What a control group leaves: its limit without what it holds, of which caches of files can be dropped.
std::int64_t left_by_group(const std::string& folder, const char* limit, const char* usage, const char* cache) {
  const auto most = number_in(folder + limit);
  const auto used = number_in(folder + usage);
  if (!most || !used) return kUnlimited;
  const std::int64_t held = *used - number_behind(folder + "/memory.stat", cache).value_or(0);
  return std::max<std::int64_t>(0, *most - std::max<std::int64_t>(0, held));
}

/// Of this process's control groups and all above them, of version 2 ("0::/a/b") and 1 ("4:memory:/a/b").
std::int64_t left_by_groups() {
  std::int64_t left = kUnlimited;
  std::ifstream in("/proc/self/cgroup");
  for (std::string line; std::getline(in, line);) {
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool unified = controllers.empty();
    if (!unified && controllers != "memory") continue;
    std::string group = line.substr(second + 1);
    while (true) {
      if (group == "/") group.clear();
      left = std::min(
          left, unified ? left_by_group("/sys/fs/cgroup" + group, "/memory.max", "/memory.current", "inactive_file")
                        : left_by_group("/sys/fs/cgroup/memory" + group, "/memory.limit_in_bytes",
                                        "/memory.usage_in_bytes", "total_inactive_file"));
      if (group.empty()) break;
      group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
    }
  }
  return left;
}

std::int64_t left_by_limit() {
  rlimit limit{};
  const auto kib = number_behind("/proc/self/status", "VmSize:");
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || !kib) return kUnlimited;
  return std::max<std::int64_t>(0, static_cast<std::int64_t>(limit.rlim_cur) - 1024 * *kib);
}

}  // namespace

double peak_resident_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

AvailableMemory available_memory() {
  AvailableMemory least{left_by_machine(), "the machine"};
  if (const std::int64_t left = left_by_groups(); left < least.bytes) least = {left, "the control group"};
  if (const std::int64_t left = left_by_limit(); left < least.bytes) least = {left, "ulimit -v"};
  return least;
}

}  // namespace diopter
