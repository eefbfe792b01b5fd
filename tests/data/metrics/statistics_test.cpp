#include "data/metrics/statistics.h"

#include <cmath>

#include "data/metrics/precision_recall.h"
#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/support/files.h"

using namespace diopter;
using nlohmann::json;

namespace {

const json& golden() {
  static const json all = parse_json(test::read_bytes(DIOPTER_SOURCE_DIR "/tests/golden/fixtures/statistics.json"));
  return all;
}

void require_near(double actual, const json& expected) {
  REQUIRE(actual == Approx(expected.get<double>()).epsilon(1e-9).margin(1e-12));
}

}  // namespace

TEST_CASE("statistics of paired differences agree with scipy") {
  REQUIRE(golden().at("paired").size() == 10);
  for (const json& c : golden().at("paired")) {
    const auto differences = c.at("differences").get<std::vector<double>>();
    INFO(json_text(c.at("differences")));
    require_near(mean(differences), c.at("mean"));
    require_near(standard_deviation(differences), c.at("sd"));
    const Interval interval = t_interval(differences);
    require_near(interval.low, c.at("interval").at(0));
    require_near(interval.high, c.at("interval").at(1));
    require_near(paired_t_test(differences), c.at("t_test"));
    require_near(wilcoxon_signed_rank(differences), c.at("wilcoxon"));
  }
}

TEST_CASE("Holm's correction agrees with statsmodels") {
  for (const json& c : golden().at("holm")) {
    const std::vector<double> corrected = holm(c.at("p").get<std::vector<double>>());
    REQUIRE(corrected.size() == c.at("corrected").size());
    for (std::size_t i = 0; i < corrected.size(); ++i) require_near(corrected[i], c.at("corrected").at(i));
  }
  REQUIRE(holm({}).empty());
}

TEST_CASE("statistics of too few or equal values claim nothing") {
  REQUIRE(std::isnan(standard_deviation({3})));
  REQUIRE(std::isinf(t_interval({3}).high));
  REQUIRE(t_interval({3}).low == -t_interval({3}).high);
  REQUIRE(paired_t_test({3}) == 1);
  REQUIRE(paired_t_test({0, 0, 0}) == 1);
  REQUIRE(paired_t_test({2, 2, 2}) == 0);
  REQUIRE(wilcoxon_signed_rank({}) == 1);
  REQUIRE(wilcoxon_signed_rank({0, 0}) == 1);
  REQUIRE(wilcoxon_signed_rank({2}) == 1);
}

TEST_CASE("the signed-rank test cannot give less than its number of signs allows") {
  for (int n = 1; n <= 60; ++n) {
    std::vector<double> differences;
    for (int i = 1; i <= n; ++i) differences.push_back(i);
    REQUIRE(wilcoxon_signed_rank(differences) == Approx(std::ldexp(1.0, 1 - n)).epsilon(1e-12));
  }
}

TEST_CASE("a 95% interval holds exactly the differences that the t-test does not refuse") {
  const std::vector<double> values{0.3, 1.2, -0.4, 2.2, 0.9};
  const Interval interval = t_interval(values);
  for (const double edge : {interval.low, interval.high}) {
    std::vector<double> shifted;
    for (const double v : values) shifted.push_back(v - edge);
    REQUIRE(paired_t_test(shifted) == Approx(0.05).epsilon(1e-9));
  }
}

// numpy's: eight sums up to 128 numbers, the sums of both halves beyond.
TEST_CASE("a mean is added in numpy's order") {
  const auto lanes = [](std::span<const double> values) {
    double of_lane[8] = {}, rest = 0;
    const std::size_t whole = values.size() - values.size() % 8;
    for (std::size_t i = 0; i < whole; ++i) of_lane[i % 8] += values[i];
    rest = ((of_lane[0] + of_lane[1]) + (of_lane[2] + of_lane[3])) +
           ((of_lane[4] + of_lane[5]) + (of_lane[6] + of_lane[7]));
    for (std::size_t i = whole; i < values.size(); ++i) rest += values[i];
    return rest;
  };
  std::vector<double> values;
  for (int i = 0; i < 129; ++i) values.push_back(std::sin(i) * std::pow(10, i % 7));
  const std::span<const double> all(values);
  CHECK(mean(all.first(128)) == lanes(all.first(128)) / 128);
  const double halves = lanes(all.first(64)) + lanes(all.subspan(64));
  CHECK(halves != lanes(all));  // so that the order shows
  CHECK(mean(all) == halves / 129);
}
