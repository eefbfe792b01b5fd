#include "engine/profile/profile_report.h"

#include <algorithm>
#include <cstdio>
#include <functional>
#include <map>

#include "kernels/base/json.h"

namespace diopter {

namespace {

using Kind = ProfiledRange::Kind;
using Key = std::vector<std::string>;

constexpr std::size_t kLayersShown = 15;

/// Ranges with something in common.
struct Total {
  Key key;
  std::int64_t count = 0;
  double microseconds = 0, roof_microseconds = 0;
  LeastWork least;
  std::size_t peak_bytes = 0, bytes_after = 0;

  double share_of_roof() const { return microseconds > 0 ? roof_microseconds / microseconds : 0; }
};

/// Totals of the ranges of a kind, in the order in which each key was first met.
std::vector<Total> totals(const Profile& profile, const Roof& roof, Kind kind,
                          const std::function<Key(const ProfiledRange&)>& key_of) {
  std::vector<Total> all;
  std::map<Key, std::size_t> places;
  for (const ProfiledRange& range : profile.ranges) {
    if (range.kind != kind) continue;
    const Key key = key_of(range);
    const auto place = places.emplace(key, all.size());
    if (place.second) all.emplace_back().key = key;
    Total& total = all[place.first->second];
    ++total.count;
    total.microseconds += range.microseconds();
    total.roof_microseconds += roof.microseconds(range.least);
    total.least.bytes += range.least.bytes;
    total.least.operations += range.least.operations;
    total.peak_bytes = std::max(total.peak_bytes, range.peak_bytes);
    total.bytes_after = range.bytes_after;
  }
  return all;
}

/// Names of the phases that a range lies in, itself included: {"step", "forward"}.
Key phases_of(const Profile& profile, const ProfiledRange& range) {
  Key path = range.parent < 0 ? Key{} : phases_of(profile, profile.ranges[range.parent]);
  if (range.kind == Kind::phase) path.push_back(range.name);
  return path;
}

/// {outermost phase, innermost phase, kernel, parameter}
std::vector<Total> kernel_totals(const Profile& profile, const Roof& roof, bool by_parameter) {
  return totals(profile, roof, Kind::kernel, [&](const ProfiledRange& range) {
    const Key path = phases_of(profile, range);
    const Key around = path.empty() ? Key{"", ""} : Key{path.front(), path.back()};
    return Key{around[0], around[1], range.name, by_parameter ? range.parameter : ""};
  });
}

void keep_slowest(std::vector<Total>& all, const std::string& part, std::size_t most) {
  std::erase_if(all, [&](const Total& t) { return t.key[0] != part; });
  std::stable_sort(all.begin(), all.end(),
                   [](const Total& a, const Total& b) { return a.microseconds > b.microseconds; });
  if (all.size() > most) all.resize(most);
}

template <class... Args>
std::string line(const char* format, Args... args) {
  char text[400];
  std::snprintf(text, sizeof text, format, args...);
  return text;
}

double mebibytes(std::size_t bytes) { return static_cast<double>(bytes) / (1 << 20); }

/// The phases below `whole`, which is one of them.
std::string phase_lines(const std::vector<Total>& phases, const Total& whole) {
  std::string text = line("%8s %9s %7s %9s %9s  %s\n", "count", "ms", "share", "MiB most", "MiB after", "phase");
  for (const Total& t : phases) {
    if (t.key.front() != whole.key.front()) continue;
    const std::string name = std::string(2 * (t.key.size() - 1), ' ') + t.key.back();
    text += line("%8lld %9.3f %6.1f%% %9.1f %9.1f  %s\n", static_cast<long long>(t.count),
                 t.microseconds * 1e-3 / static_cast<double>(whole.count), 100 * t.microseconds / whole.microseconds,
                 mebibytes(t.peak_bytes), mebibytes(t.bytes_after), name.c_str());
  }
  return text;
}

std::string kernel_lines(const char* head, const std::vector<Total>& kernels, const Total& whole) {
  std::string text =
      line("%8s %9s %7s %9s %8s %8s %6s  %s\n", "count", "ms", "share", "MB", "GB/s", "GFLOP/s", "roof", head);
  for (const Total& t : kernels) {
    const double runs = static_cast<double>(whole.count), time = std::max(t.microseconds, 1e-3);
    text += line("%8lld %9.3f %6.1f%% %9.1f %8.1f %8.1f %5.0f%%  %s: %s%s%s\n", static_cast<long long>(t.count),
                 t.microseconds * 1e-3 / runs, 100 * t.microseconds / whole.microseconds, t.least.bytes * 1e-6 / runs,
                 t.least.bytes * 1e-3 / time, t.least.operations * 1e-3 / time, 100 * t.share_of_roof(),
                 t.key[1].c_str(), t.key[2].c_str(), t.key[3].empty() ? "" : ", ", t.key[3].c_str());
  }
  return text;
}

}  // namespace

double Roof::microseconds(const LeastWork& least) const {
  return std::max(bytes_per_microsecond > 0 ? least.bytes / bytes_per_microsecond : 0,
                  operations_per_microsecond > 0 ? least.operations / operations_per_microsecond : 0);
}

std::string profile_table(const Profile& profile, const Roof& roof) {
  std::string text = line("roof: %.1f GB/s (copy in memory), %.1f GFLOP/s (product of matrices)\n",
                          roof.bytes_per_microsecond * 1e-3, roof.operations_per_microsecond * 1e-3);
  const std::vector<Total> phases =
      totals(profile, roof, Kind::phase, [&](const ProfiledRange& range) { return phases_of(profile, range); });
  for (const Total& whole : phases) {
    if (whole.key.size() > 1) continue;
    const std::string& part = whole.key.front();
    std::vector<Total> kernels = kernel_totals(profile, roof, false), layers = kernel_totals(profile, roof, true);
    keep_slowest(kernels, part, kernels.size());
    std::erase_if(layers, [](const Total& t) { return t.key[3].empty(); });
    keep_slowest(layers, part, kLayersShown);
    double inside = 0;
    for (const Total& t : kernels) inside += t.microseconds;
    text += line("\n%s, %lld times: %.3f ms each, %.3f ms of it outside of kernels; ms and MB are those of one %s\n\n",
                 part.c_str(), static_cast<long long>(whole.count),
                 whole.microseconds * 1e-3 / static_cast<double>(whole.count),
                 (whole.microseconds - inside) * 1e-3 / static_cast<double>(whole.count), part.c_str());
    text += phase_lines(phases, whole);
    if (!kernels.empty()) text += "\n" + kernel_lines("phase: kernel", kernels, whole);
    if (!layers.empty()) text += "\n" + kernel_lines("slowest layers", layers, whole);
  }
  return text;
}

std::string profile_csv(const Profile& profile, const Roof& roof) {
  std::string text = "part,phase,kernel,parameter,count,microseconds,bytes,operations,share_of_roof\n";
  for (const Total& t : kernel_totals(profile, roof, true)) {
    text += line("%s,%s,%s,%s,%lld,%.3f,%.0f,%.0f,%.4f\n", t.key[0].c_str(), t.key[1].c_str(), t.key[2].c_str(),
                 t.key[3].c_str(), static_cast<long long>(t.count), t.microseconds, t.least.bytes, t.least.operations,
                 t.share_of_roof());
  }
  return text;
}

std::string profile_trace(const Profile& profile) {
  using Json = nlohmann::ordered_json;
  constexpr int kHost = 0, kDevice = 1;  // rows; further streams below
  const char* kinds[] = {"phase", "backward", "kernel"};
  const bool gpu = profile.device != Device::cpu;
  Json events = Json::array();
  const auto name_row = [&](int row, const std::string& name) {
    events.push_back({{"name", "thread_name"}, {"ph", "M"}, {"pid", 1}, {"tid", row}, {"args", {{"name", name}}}});
  };
  int lanes = 0;
  for (const ProfiledRange& range : profile.ranges) lanes = std::max(lanes, range.lane + 1);
  if (gpu) name_row(kHost, "host");
  for (int lane = 0; lane < lanes; ++lane) {
    name_row(kDevice + lane, gpu ? "stream " + std::to_string(lane) : "cpu");
  }
  for (const ProfiledRange& range : profile.ranges) {
    Json args = Json::object();
    if (!range.parameter.empty()) args["parameter"] = range.parameter;
    if (range.least.bytes > 0) args["bytes"] = range.least.bytes;
    if (range.least.operations > 0) args["operations"] = range.least.operations;
    if (range.kind == Kind::phase) args["peak_bytes"] = range.peak_bytes, args["bytes_after"] = range.bytes_after;
    const auto add = [&](int row, double begin, double end) {
      events.push_back({{"name", range.name},
                        {"cat", kinds[static_cast<int>(range.kind)]},
                        {"ph", "X"},
                        {"ts", begin},
                        {"dur", end - begin},
                        {"pid", 1},
                        {"tid", row},
                        {"args", args}});
    };
    add(kDevice + range.lane, range.begin, range.end);
    if (gpu) add(kHost, range.host_begin, range.host_end);
  }
  return json_text(Json{{"traceEvents", events}, {"displayTimeUnit", "ms"}}) + "\n";
}

}  // namespace diopter
