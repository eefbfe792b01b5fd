#include "retinanet/report/chart.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/base/text.h"
#include "retinanet/report/style.h"

namespace diopter {

namespace {

constexpr double kWidth = 400, kLeft = 48, kRight = 388;
constexpr double kTop = 8, kBottom = 204, kHeight = 240;  // of line charts
constexpr double kRowHeight = 40;                         // of interval charts
constexpr int kSeriesStyles = 8;                          // classes s0 to s7
constexpr std::size_t kMarked = 25;                       // series of up to so many points have marks
constexpr double kLogSpan = 50;
constexpr double kRoom = 0.04;  // beyond the outermost values, as a share of the axis

std::string coordinate(double value) { return formatted("%.1f", value); }
std::string shown(double value) { return formatted("%.6g", value); }
std::string style_of(std::size_t series) { return "s" + std::to_string(series % kSeriesStyles); }

bool finite(const std::array<double, 2>& point) { return std::isfinite(point[0]) && std::isfinite(point[1]); }

struct AxisRange {
  double low = std::numeric_limits<double>::infinity(), high = -low;

  void add(double value) {
    if (!std::isfinite(value)) return;
    low = std::min(low, value);
    high = std::max(high, value);
  }
  bool empty() const { return low > high; }
};

/// Values on a stretch of the picture.
class Axis {
 public:
  Axis(AxisRange range, bool log, double from, double to) : log_(log), from_(from), to_(to) {
    low_ = scaled(range.low);
    high_ = scaled(range.high);
    if (low_ == high_) {
      const double room = log ? 0.3 : std::max(std::abs(low_), 1.0) / 10;
      low_ -= room;
      high_ += room;
    }
  }

  double at(double value) const { return from_ + (scaled(value) - low_) / (high_ - low_) * (to_ - from_); }

  /// Round values within the range, some five of them.
  std::vector<double> ticks() const { return log_ ? log_ticks() : linear_ticks(); }

 private:
  double scaled(double value) const { return log_ ? std::log10(value) : value; }

  std::vector<double> linear_ticks() const {
    const double rough = (high_ - low_) / 5, power = std::pow(10, std::floor(std::log10(rough)));
    const double step = power * (rough < 1.5 * power ? 1 : rough < 3.5 * power ? 2 : rough < 7.5 * power ? 5 : 10);
    std::vector<double> values;
    const double slack = 1e-9 * (high_ - low_);
    for (double i = std::ceil((low_ - slack) / step); i * step <= high_ + slack; ++i)
      values.push_back(i * step + 0.0);  // no -0
    return values;
  }

  /// Powers of ten; less than two decades have 2 and 5 between them, many have gaps.
  std::vector<double> log_ticks() const {
    std::vector<double> values;
    const double stride = std::max(1.0, std::ceil((high_ - low_) / 6)), slack = 1e-9;
    for (double decade = std::floor(low_); decade <= high_ + slack; decade += stride) {
      for (const double digit : {1.0, 2.0, 5.0}) {
        const double exponent = decade + std::log10(digit);
        if (digit > 1 && high_ - low_ > 2) continue;
        if (exponent >= low_ - slack && exponent <= high_ + slack) values.push_back(digit * std::pow(10, decade));
      }
    }
    return values;
  }

  bool log_;
  double from_, to_, low_, high_;
};

Html line(const std::string& style, double x1, double y1, double x2, double y2) {
  return empty_element("line", {{"class", style},
                                {"x1", coordinate(x1)},
                                {"y1", coordinate(y1)},
                                {"x2", coordinate(x2)},
                                {"y2", coordinate(y2)}});
}

Html label(double x, double y, const char* anchor, const std::string& text, const char* style = "tick") {
  return element("text", {{"class", style}, {"x", coordinate(x)}, {"y", coordinate(y)}, {"text-anchor", anchor}}, text);
}

/// A circle that tells its name and value to a pointer that rests on it.
Html circle(const std::string& style, double x, double y, double radius, const std::string& tip) {
  return element("circle", {{"class", style}, {"cx", coordinate(x)}, {"cy", coordinate(y)}, {"r", coordinate(radius)}},
                 element("title", {}, tip));
}

Html x_axis(const Axis& axis, double top, double bottom, const std::string& name) {
  Html html;
  for (const double tick : axis.ticks()) {
    html += line("grid", axis.at(tick), top, axis.at(tick), bottom);
    html += label(axis.at(tick), bottom + 15, "middle", shown(tick));
  }
  html += label(kRight, bottom + 31, "end", name);
  return html;
}

Html y_axis(const Axis& axis) {
  Html html;
  for (const double tick : axis.ticks()) {
    html += line("grid", kLeft, axis.at(tick), kRight, axis.at(tick));
    html += label(kLeft - 6, axis.at(tick) + 4, "end", shown(tick));
  }
  return html;
}

Html svg(const std::string& title, double height, const Html& inside) {
  return element("svg",
                 {{"class", "chart"},
                  {"xmlns", "http://www.w3.org/2000/svg"},
                  {"viewBox", "0 0 " + shown(kWidth) + " " + shown(height)},
                  {"role", "img"},
                  {"aria-label", title}},
                 inside);
}

Html figure(const std::string& title, const Html& legend, double height, const Html& inside) {
  Html html = element("figcaption", {}, title);
  html += legend;
  html += svg(title, height, inside);
  Html all = element("figure", {}, html);
  all += {"\n"};
  return all;
}

Html legend(const std::vector<Series>& series) {
  if (series.size() < 2) return {};
  Html entries;
  for (std::size_t i = 0; i < series.size(); ++i) {
    Html entry =
        element("svg", {{"viewBox", "0 0 24 10"}, {"aria-hidden", "true"}}, line("curve " + style_of(i), 0, 5, 24, 5));
    entry += text(series[i].name);
    entries += element("span", {}, entry);
  }
  return element("div", {{"class", "legend"}}, entries);
}

std::string path(const Series& series, const Axis& x, const Axis& y) {
  std::string path;
  for (const auto& point : series.points) {
    if (!finite(point)) continue;
    path += (path.empty() ? "M" : "L") + coordinate(x.at(point[0])) + " " + coordinate(y.at(point[1]));
  }
  return path;
}

Html drawn(const Series& series, std::size_t index, const Axis& x, const Axis& y) {
  Html html = empty_element("path", {{"class", "curve " + style_of(index)}, {"d", path(series, x, y)}});
  if (series.points.size() > kMarked) return html;
  for (const auto& point : series.points) {
    if (!finite(point)) continue;
    html += circle("mark " + style_of(index), x.at(point[0]), y.at(point[1]), 2.8,
                   series.name + ": " + shown(point[1]) + " at " + shown(point[0]));
  }
  return html;
}

/// What is within the <svg> of a chart; nothing where there is no finite point.
Html lines(const LineChart& chart) {
  AxisRange xs, ys;
  for (const Series& series : chart.series) {
    for (const auto& point : series.points) {
      if (!finite(point)) continue;
      xs.add(point[0]);
      ys.add(point[1]);
    }
  }
  if (xs.empty()) return {};
  const bool log_y = !chart.y_range && !chart.linear_y && ys.low > 0 && ys.high > kLogSpan * ys.low;
  if (!chart.y_range && !log_y && ys.low > 0) ys.add(0);
  if (!chart.y_range && !log_y) ys.high += kRoom * (ys.high - ys.low);
  if (chart.y_range) ys = {chart.y_range->low, chart.y_range->high};
  const Axis x(xs, chart.log_x, kLeft, kRight), y(ys, log_y, kBottom, kTop);
  Html inside = x_axis(x, kTop, kBottom, chart.x_label);
  inside += y_axis(y);
  for (std::size_t i = 0; i < chart.series.size(); ++i) {
    if (!path(chart.series[i], x, y).empty()) inside += drawn(chart.series[i], i, x, y);
  }
  return inside;
}

}  // namespace

Html draw(const LineChart& chart) {
  const Html inside = lines(chart);
  return inside.markup.empty() ? Html{} : figure(chart.title, legend(chart.series), kHeight, inside);
}

std::string svg_file(const LineChart& chart) {
  Html inside = element("style", {}, std::string(kStyle) + "svg{background:var(--page)}");
  inside += lines(chart);
  return svg(chart.title, kHeight, inside).markup + "\n";
}

Html draw(const IntervalChart& chart) {
  constexpr double kFrom = 12;
  AxisRange xs;
  if (chart.reference) xs.add(*chart.reference);
  for (const IntervalChart::Row& row : chart.rows) {
    for (const double value : {row.mean, row.interval.low, row.interval.high}) xs.add(value);
    for (const auto& [name, value] : row.values) xs.add(value);
  }
  if (xs.empty() || chart.rows.empty()) return {};
  const double room = kRoom * (xs.high - xs.low);
  const Axis x({xs.low - room, xs.high + room}, false, kFrom, kRight);
  const double bottom = kRowHeight * static_cast<double>(chart.rows.size()) + 4;
  Html inside = x_axis(x, 0, bottom, chart.x_label);
  if (chart.reference) inside += line("zero", x.at(*chart.reference), 0, x.at(*chart.reference), bottom);
  for (std::size_t i = 0; i < chart.rows.size(); ++i) {
    const IntervalChart::Row& row = chart.rows[i];
    const double top = kRowHeight * static_cast<double>(i), y = top + 28;
    const std::string style = style_of(row.style);
    inside += label(kFrom, top + 15, "start", row.name, "label");
    if (std::isfinite(row.interval.low) && std::isfinite(row.interval.high)) {
      inside += line("bar " + style, x.at(row.interval.low), y, x.at(row.interval.high), y);
      for (const double end : {row.interval.low, row.interval.high}) {
        inside += line("bar " + style, x.at(end), y - 5, x.at(end), y + 5);
      }
    }
    for (const auto& [name, value] : row.values) {
      if (std::isfinite(value)) inside += circle("dot " + style, x.at(value), y, 3.2, name + ": " + shown(value));
    }
    if (std::isfinite(row.mean)) {
      inside += circle("mark " + style, x.at(row.mean), y, 5, row.name + ": " + shown(row.mean));
    }
  }
  return figure(chart.title, {}, bottom + 40, inside);
}

Html charts(const std::vector<Html>& figures) {
  Html all;
  for (const Html& figure : figures) all += figure;
  return all.markup.empty() ? Html{} : element("div", {{"class", "charts"}}, all);
}

}  // namespace diopter
