#include "data/shapes/shape.h"

#include <algorithm>
#include <cmath>
#include <span>

namespace diopter {

namespace {

using Corners = std::span<const FramePoint>;

constexpr FramePoint kSquareCorners[] = {{-1, -1}, {1, -1}, {1, 1}, {-1, 1}};
constexpr FramePoint kTriangleCorners[] = {{0, -1}, {0.8660254f, 0.5f}, {-0.8660254f, 0.5f}};
/// Five points at radius 1, five between them at .45.
constexpr FramePoint kStarCorners[] = {{0, -1},
                                       {0.2645034f, -0.3640576f},
                                       {0.9510565f, -0.3090170f},
                                       {0.4279754f, 0.1390576f},
                                       {0.5877853f, 0.8090170f},
                                       {0, 0.45f},
                                       {-0.5877853f, 0.8090170f},
                                       {-0.4279754f, 0.1390576f},
                                       {-0.9510565f, -0.3090170f},
                                       {-0.2645034f, -0.3640576f}};
constexpr FramePoint kBarCorners[] = {{-1, -0.38f}, {1, -0.38f}, {1, 0.38f}, {-1, 0.38f}};
constexpr FramePoint kCornerCorners[] = {{-0.9f, -0.9f}, {-0.3f, -0.9f}, {-0.3f, 0.3f},
                                         {0.9f, 0.3f},   {0.9f, 0.9f},   {-0.9f, 0.9f}};
constexpr FramePoint kArrowCorners[] = {{0, -1},    {0.8f, -0.1f},  {0.3f, -0.1f}, {0.3f, 1},
                                        {-0.3f, 1}, {-0.3f, -0.1f}, {-0.8f, -0.1f}};
constexpr FramePoint kBowTieCorners[] = {{-1, -0.7f}, {1, 0.7f}, {1, -0.7f}, {-1, 0.7f}};

/// Of a class's form; a circle has none.
Corners corners_of(Form form) {
  switch (form) {
    case Form::square: return kSquareCorners;
    case Form::triangle: return kTriangleCorners;
    case Form::star: return kStarCorners;
    case Form::bar: return kBarCorners;
    case Form::corner: return kCornerCorners;
    case Form::arrow: return kArrowCorners;
    case Form::bow_tie: return kBowTieCorners;
    default: return {};
  }
}

/// By the even-odd rule: whether a ray to the right crosses the outline an odd number of times.
bool inside_polygon(Corners corners, const FramePoint& p) {
  bool inside = false;
  for (std::size_t i = 0; i < corners.size(); ++i) {
    const FramePoint &a = corners[i], &b = corners[(i + 1) % corners.size()];
    if ((a.v > p.v) != (b.v > p.v) && p.u < a.u + (p.v - a.v) / (b.v - a.v) * (b.u - a.u)) inside = !inside;
  }
  return inside;
}

/// Whether x lies in the second half of its period.
bool second_half(float x, float period) {
  const float periods = x / period;
  return periods - std::floor(periods) >= 0.5f;
}

}  // namespace

bool Tear::leaves(const FramePoint& point) const {
  constexpr float kTooth = 0.8f, kDepth = 0.3f;  // width and depth of the teeth
  const float along = point.v * std::cos(angle) - point.u * std::sin(angle);
  const float across = point.u * std::cos(angle) + point.v * std::sin(angle);
  const float teeth = along / kTooth;
  return across > offset + kDepth * std::fabs(2 * (teeth - std::floor(teeth)) - 1);
}

bool PlaneShape::covers(const FramePoint& point) const {
  const auto [u, v] = point;
  const float radius2 = u * u + v * v;
  switch (form) {
    case Form::circle: return radius2 <= 1;
    case Form::square: return std::max(std::fabs(u), std::fabs(v)) <= 1;
    case Form::triangle: return v <= 0.5f && v >= 1.7320508f * std::fabs(u) - 1;  // equilateral, apex at (0, -1)
    case Form::cross: return std::max(std::fabs(u), std::fabs(v)) <= 1 && std::min(std::fabs(u), std::fabs(v)) <= 0.2f;
    case Form::line: return std::fabs(u) <= 1 && std::fabs(v) <= 0.1f;
    case Form::ring: return radius2 <= 1 && radius2 >= 0.55f;
    default: return inside_polygon(corners_of(form), point);
  }
}

bool PlaneShape::dark(const FramePoint& point) const {
  constexpr float kPeriod = 0.8f;
  switch (texture) {
    case Texture::plain: return false;
    case Texture::striped: return second_half(point.v, kPeriod);
    case Texture::checked: return second_half(point.u, kPeriod) != second_half(point.v, kPeriod);
  }
  return false;
}

Frame::Frame(const PlaneShape& shape)
    : x_(shape.x),
      y_(shape.y),
      scale_(shape.scale),
      cos_(std::cos(shape.angle)),
      sin_(std::sin(shape.angle)),
      height_(shape.height) {}

float outer_radius(Form form) {
  constexpr float kMore = 1e-3f;  // for rounding
  float most = form == Form::cross ? 1.0198039f : form == Form::line ? 1.0049876f : 1;
  for (const auto& [u, v] : corners_of(form)) most = std::max(most, std::sqrt(u * u + v * v));
  return most + kMore;
}

Box unit_box(Form form, float angle, float height) {
  if (form == Form::circle) {
    const float x = std::hypot(std::cos(angle), height * std::sin(angle));
    const float y = std::hypot(std::sin(angle), height * std::cos(angle));
    return {-x, -y, x, y};
  }
  Box box{2, 2, -2, -2};
  for (const auto& [u, v] : corners_of(form)) {
    const float low = v * height;
    const float x = u * std::cos(angle) - low * std::sin(angle), y = u * std::sin(angle) + low * std::cos(angle);
    box = {std::min(box.x1, x), std::min(box.y1, y), std::max(box.x2, x), std::max(box.y2, y)};
  }
  return box;
}

}  // namespace diopter
