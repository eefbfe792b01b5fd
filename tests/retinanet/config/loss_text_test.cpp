// Names and parameters of losses as text. Only the last two tests name losses of the list.
#include "retinanet/config/loss_text.h"

#include <algorithm>
#include <cmath>

#include "kernels/base/text.h"
#include "kernels/detection/losses/ce.h"
#include "kernels/detection/losses/focal.h"
#include "kernels/detection/losses/focal_star.h"
#include "tests/support/files.h"

using namespace diopter;
using test::contains;
using test::error_of;

namespace {

std::string parse_error(const std::string& text) {
  return error_of([&] { parse_loss(text, "--loss " + text); });
}

}  // namespace

TEST_CASE("loss choice: every loss and every parameter survive being written") {
  REQUIRE(loss_names().size() == all_losses().size());
  for (const std::string& name : loss_names()) {
    AnyLoss loss = parse_loss(name, "test");
    CHECK(loss_name(loss) == name);
    for_each_parameter(
        loss, [&](const auto& p, float& value) { value = p.whole ? p.lowest : p.lowest + (p.highest - p.lowest) / 3; });
    const AnyLoss read = parse_loss(format_loss(loss), "test");
    CHECK(read.index() == loss.index());
    CHECK(format_loss(read) == format_loss(loss));
    std::vector<float> values, values_read;
    for_each_parameter(loss, [&](const auto&, float value) { values.push_back(value); });
    for_each_parameter(read, [&](const auto&, float value) { values_read.push_back(value); });
    CHECK(values == values_read);
  }
}

TEST_CASE("loss choice: values out of range name the parameter and the range") {
  int parameters = 0;
  for (const AnyLoss& loss : all_losses()) {
    for_each_parameter(loss, [&](const auto& p, float) {
      ++parameters;
      for (const float wrong : {p.lowest - 1, p.highest + 1}) {
        const std::string text = loss_name(loss) + (":" + std::string(p.name) + "=" + shortest(wrong));
        INFO(text);
        CHECK(parse_error(text) == "--loss " + text + ": " + p.name + " must lie between " + shortest(p.lowest) +
                                       " and " + shortest(p.highest));
      }
    });
  }
  CHECK(parameters >= 7);
}

TEST_CASE("loss choice: the description has a line for each loss and parameter") {
  const std::string text = describe_losses();
  std::int64_t lines = 0;
  for (const AnyLoss& loss : all_losses()) {
    ++lines;
    CHECK(contains("\n" + text, std::string("\n  ") + loss_name(loss) + " "));
    CHECK(contains(text, loss_source(loss)));
    for_each_parameter(loss, [&](const auto& p, float) {
      ++lines;
      CHECK(contains(text, p.meaning));
    });
  }
  CHECK(std::count(text.begin(), text.end(), '\n') == lines);
}

TEST_CASE("loss choice: named parameters, defaults for the others") {
  const FocalLoss focal = parse_loss("focal:gamma=0.5", "test").get<FocalLoss>();
  CHECK(focal.gamma == 0.5f);
  CHECK(focal.alpha == 0.25f);
  CHECK(format_loss(FocalStarLoss{2, 1, 0.25f}) == "focal_star:gamma=2,beta=1,alpha=0.25");
  CHECK(format_loss(CeLoss{}) == "ce");
}

TEST_CASE("loss choice: what cannot be read names the nearest") {
  CHECK(contains(parse_error("focall"), "--loss focall: unknown loss focall; the nearest is focal (there are "));
  CHECK(contains(parse_error(""), "unknown loss  (there are "));
  CHECK(parse_error("focal:gama=1") ==
        "--loss focal:gama=1: unknown parameter gama of focal; the nearest is gamma (there are gamma, alpha)");
  CHECK(parse_error("ce:alpha=1") == "--loss ce:alpha=1: unknown parameter alpha of ce (there are none)");
  CHECK(contains(parse_error("focal:"), "'' is not parameter=value"));
  CHECK(contains(parse_error("focal:gamma"), "'gamma' is not parameter=value"));
  CHECK(contains(parse_error("focal:gamma=2,"), "'' is not parameter=value"));
  for (const std::string value : {"", "two", "2x", "nan", "inf", "1e99", " 2"}) {
    CHECK(contains(parse_error("focal:gamma=" + value), ": gamma must be a number"));
  }
}
