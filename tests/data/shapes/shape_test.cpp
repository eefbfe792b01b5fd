#include "data/shapes/shape.h"

#include <algorithm>
#include <cmath>

#include "tests/support/catch.h"

using namespace diopter;

namespace {

/// Share of the square from -1.2 to 1.2 that `inside` says yes to.
template <class Inside>
double share_of(Inside inside) {
  constexpr int kSide = 240;
  int count = 0;
  for (int i = 0; i < kSide * kSide; ++i) {
    const auto at = [](int k) { return (static_cast<float>(k) + 0.5f) / kSide * 2.4f - 1.2f; };
    count += inside(FramePoint{at(i % kSide), at(i / kSide)});
  }
  return static_cast<double>(count) / (kSide * kSide);
}

}  // namespace

TEST_CASE("forms cover the area that their formulas have") {
  const double square = 2.4 * 2.4;
  const auto area = [&](Form form) {
    const PlaneShape shape{form, 0, 0, 0, 1, {}};
    return square * share_of([&](const FramePoint& p) { return shape.covers(p); });
  };
  CHECK(area(Form::circle) == Approx(3.14159265).epsilon(0.01));
  CHECK(area(Form::square) == Approx(4).epsilon(0.01));
  CHECK(area(Form::triangle) == Approx(0.75 * std::sqrt(3.0)).epsilon(0.01));
  CHECK(area(Form::star) == Approx(10 * 0.5 * 0.45 * std::sin(0.62831853)).epsilon(0.01));  // ten triangles
  CHECK(area(Form::bar) == Approx(2 * 0.76).epsilon(0.01));
  CHECK(area(Form::corner) == Approx(0.6 * 1.8 + 1.2 * 0.6).epsilon(0.01));
  CHECK(area(Form::arrow) == Approx(0.5 * 1.6 * 0.9 + 0.6 * 1.1).epsilon(0.01));
  CHECK(area(Form::bow_tie) == Approx(2 * 0.5 * 1.4 * 1).epsilon(0.01));
}

TEST_CASE("no form reaches beyond its outer radius, nor much less far") {
  for (int i = 0; i <= static_cast<int>(Form::ring); ++i) {
    const PlaneShape shape{static_cast<Form>(i), 0, 0, 0, 1, {}};
    float most = 0;
    for (int k = 0; k < 600 * 600; ++k) {
      const FramePoint p{static_cast<float>(k % 600) / 200 - 1.5f, static_cast<float>(k / 600) / 200 - 1.5f};
      if (shape.covers(p)) most = std::max(most, std::sqrt(p.u * p.u + p.v * p.v));
    }
    INFO("form " << i);
    CHECK(most <= outer_radius(shape.form));
    CHECK(most > outer_radius(shape.form) - 0.08f);
  }
}

TEST_CASE("narrower forms fill their box, however they are turned") {
  for (int i = 0; i < kClassForms; ++i) {
    for (const float angle : {0.0f, 0.4f, 2.0f, -1.1f}) {
      const float height = i % 2 == 0 ? 0.6f : 0.8f;
      const PlaneShape shape{static_cast<Form>(i), angle, 0, 0, 1, {}, Texture::plain, height};
      const Box box = unit_box(shape.form, angle, height);
      Box drawn{9, 9, -9, -9};
      const Frame frame(shape);
      for (int k = 0; k < 600 * 600; ++k) {
        const float x = static_cast<float>(k % 600) / 200 - 1.5f, y = static_cast<float>(k / 600) / 200 - 1.5f;
        if (!shape.covers(frame(x, y))) continue;
        drawn = {std::min(drawn.x1, x), std::min(drawn.y1, y), std::max(drawn.x2, x), std::max(drawn.y2, y)};
      }
      INFO("form " << i << " turned by " << angle);
      for (const float difference : {drawn.x1 - box.x1, drawn.y1 - box.y1, box.x2 - drawn.x2, box.y2 - drawn.y2}) {
        CHECK(difference >= -0.006f);
        CHECK(difference < 0.05f);  // sharp corners fall between the points
      }
    }
  }
}

TEST_CASE("textures are dark on half of the plane") {
  for (const Texture texture : {Texture::striped, Texture::checked}) {
    const PlaneShape shape{Form::square, 0, 0, 0, 1, {}, texture};
    CHECK(share_of([&](const FramePoint& p) { return shape.dark(p); }) == Approx(0.5).margin(0.02));
  }
  const PlaneShape plain{Form::square, 0, 0, 0, 1, {}};
  CHECK(share_of([&](const FramePoint& p) { return plain.dark(p); }) == 0);
}

TEST_CASE("a tear leaves one ragged side of a shape") {
  const PlaneShape circle{Form::circle, 0, 0, 0, 1, {}};
  const double whole = share_of([&](const FramePoint& p) { return circle.covers(p); });
  for (const float angle : {0.0f, 1.0f, 4.0f}) {
    for (const float offset : {-0.1f, 0.2f}) {
      const Tear tear{angle, offset};
      const double left = share_of([&](const FramePoint& p) { return circle.covers(p) && tear.leaves(p); });
      CHECK(left < 0.55 * whole);
      CHECK(left > 0.2 * whole);
      CHECK(tear.leaves({std::cos(angle), std::sin(angle)}));
      CHECK_FALSE(tear.leaves({-std::cos(angle), -std::sin(angle)}));
    }
  }
}

TEST_CASE("a frame turns, moves and scales") {
  const PlaneShape shape{Form::bar, 1.5707963f, 10, 20, 4, {}};  // its u axis points down
  const FramePoint point = Frame(shape)(10, 24);
  CHECK(point.u == Approx(1).margin(1e-5));
  CHECK(point.v == Approx(0).margin(1e-5));
}
