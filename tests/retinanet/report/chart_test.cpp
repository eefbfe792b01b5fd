#include "retinanet/report/chart.h"

#include <cmath>
#include <limits>

#include "tests/support/files.h"
#include "tests/support/xml.h"

using namespace diopter;
using test::contains;
using test::xml_error;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

LineChart one_line(const Points& points) {
  return {.title = "Loss", .x_label = "iteration", .series = {{"a", points}}};
}

/// How often a part stands in the text.
int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

}  // namespace

TEST_CASE("a line chart maps its range onto the picture") {
  LineChart chart = one_line({{0, 0}, {50, 1}, {100, 0.5}});
  chart.y_range = Interval{0, 1};
  const std::string html = draw(chart).markup;
  CHECK(xml_error(html) == "");
  CHECK(contains(html, "d=\"M48.0 204.0L218.0 8.0L388.0 106.0\""));
  CHECK(contains(html, "aria-label=\"Loss\""));
  CHECK(contains(html, "<title>a: 0.5 at 100</title>"));
  for (const char* tick : {">0<", ">20<", ">100<", ">0.2<", ">1<", ">iteration<"}) {
    INFO(tick);
    CHECK(contains(html, tick));
  }
  CHECK_FALSE(contains(html, ">-0<"));
  CHECK_FALSE(contains(html, "legend"));
}

TEST_CASE("values over decades get a logarithmic axis, unless it is to be linear") {
  const std::string html = draw(one_line({{0, 0.001}, {1, 1}, {2, 1000}})).markup;
  CHECK(contains(html, "d=\"M48.0 204.0L218.0 106.0L388.0 8.0\""));
  CHECK(contains(html, ">0.001<"));
  CHECK(contains(html, ">1000<"));
  LineChart shares = one_line({{0, 0.001}, {1, 40}, {2, 80}});
  CHECK(contains(draw(shares).markup, ">0.001<"));
  shares.linear_y = true;
  CHECK_FALSE(contains(draw(shares).markup, ">0.001<"));
  CHECK(contains(draw(shares).markup, ">20<"));
  LineChart rates = one_line({{0.01, 1}, {0.1, 2}, {1, 3}});
  rates.log_x = true;
  CHECK(contains(draw(rates).markup, "L218.0 "));
}

TEST_CASE("charts of little or nothing") {
  CHECK(draw(one_line({})).markup.empty());
  CHECK(draw(one_line({{1, std::nan("")}})).markup.empty());
  CHECK(charts({draw(one_line({}))}).markup.empty());
  CHECK(draw(IntervalChart{.title = "t", .x_label = "x", .rows = {}, .reference = 0}).markup.empty());
  for (const double y : {0.0, 5.0, -3.0, 1e-30, 1e30}) {
    INFO(y);
    const std::string html = draw(one_line({{7, y}})).markup;
    CHECK(xml_error(html) == "");
    CHECK_FALSE(contains(html, "nan"));
    CHECK_FALSE(contains(html, "inf"));
    CHECK(count(html, "<circle") == 1);
  }
}

TEST_CASE("what is not finite is left out, and names are escaped") {
  LineChart chart = one_line({{0, 1}, {1, kInfinity}, {2, 3}});
  chart.series.push_back({"<b> & \"c\"", {{0, 2}, {2, 2}}});
  chart.title = "a<b";
  const std::string html = draw(chart).markup;
  CHECK(xml_error(html) == "");
  CHECK(contains(html, "legend"));
  CHECK(contains(html, "&lt;b&gt; &amp; &quot;c&quot;"));
  CHECK(count(html, "<circle") == 4);
  CHECK_FALSE(contains(html, "inf"));
}

TEST_CASE("an interval chart shows mean, interval, single values and the reference") {
  const IntervalChart chart{.title = "Differences",
                            .x_label = "AP",
                            .rows = {{"focal", 2, {1, 3}, {{"seed 1", 1.5}, {"seed 2", 2.5}}},
                                     {"one seed", -1, {-kInfinity, kInfinity}, {{"seed 1", -1}}, 9}},
                            .reference = 0};
  const std::string html = draw(chart).markup;
  CHECK(xml_error(html) == "");
  CHECK(contains(html, ">focal</text>"));
  CHECK(contains(html, "<title>seed 1: 1.5</title>"));
  CHECK(contains(html, "<title>focal: 2</title>"));
  CHECK(count(html, "class=\"bar s0\"") == 3);  // the interval and its two ends
  CHECK(count(html, "class=\"bar s1\"") == 0);
  CHECK(count(html, "class=\"zero\"") == 1);
}
