// Charts of reports as inline SVG, 400 units wide: on a phone a unit is about a pixel, so that text stays legible.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "data/metrics/statistics.h"
#include "retinanet/report/html.h"
#include "retinanet/training/training_curve.h"

namespace diopter {

struct Series {
  std::string name;
  Points points;  // those that are not finite are left out
};

/// Lines; a series of few points has marks, too.
struct LineChart {
  std::string title, x_label;
  std::vector<Series> series;
  bool log_x = false;
  std::optional<Interval> y_range{};  // default: of the points; and 0; logarithmic where they span a factor of 50
  bool linear_y = false;              // whatever they span: for shares, whose smallest say little
};

/// Means with their intervals, one below the other, and the single values as dots.
struct IntervalChart {
  struct Row {
    std::string name;
    double mean;
    Interval interval;                                   // not drawn where it is infinite
    std::vector<std::pair<std::string, double>> values;  // named
    std::size_t style = 0;                               // colour: that of the series with this number in a line chart
  };
  std::string title, x_label;
  std::vector<Row> rows;
  std::optional<double> reference{};  // a line at this value, which is always in view
};

/// <figure> with a legend where there are several series. Nothing where there is no finite point.
Html draw(const LineChart& chart);
Html draw(const IntervalChart& chart);

/// The same as an SVG file, without a legend.
std::string svg_file(const LineChart& chart);

/// Charts beside each other where there is room.
Html charts(const std::vector<Html>& figures);

}  // namespace diopter
