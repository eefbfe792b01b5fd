#include "data/pictures/draw.h"

#include <stb/stb_easy_font.h>

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace diopter {
namespace {

constexpr int kLongestEnlarged = 4096;   // pixels: a strip of 20,000 x 10 stays what it is
constexpr int kLongestJpegSide = 65535;  // pixels

/// Half-open rectangle of pixels.
struct PixelRect {
  int x1, y1, x2, y2;
};

void fill(Image& image, PixelRect rect, Colour colour) {
  const int x1 = std::max(rect.x1, 0), x2 = std::min(rect.x2, image.width);
  for (int y = std::max(rect.y1, 0); y < std::min(rect.y2, image.height); ++y) {
    for (int x = x1; x < x2; ++x) std::copy_n(colour.data(), 3, image.pixel(x, y));
  }
}

/// The characters that the font has: one '?' for each outside of printable ASCII.
std::string in_font(const std::string& text) {
  std::string result;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues_character = (byte & 0xC0) == 0x80;  // UTF-8
    if (!continues_character) result += byte >= 32 && byte < 127 ? c : '?';
  }
  return result;
}

/// Height of the font's letters with the room below for g and y.
constexpr int kTextHeight = 10;

/// Text whose upper left corner is (x, y), each point of the font a square of `scale` pixels.
void draw_text(Image& image, std::string text, int x, int y, int scale, Colour colour) {
  struct Vertex {
    float x, y, z;
    unsigned char colour[4];
  };
  constexpr std::size_t kVerticesPerCharacter = 80;  // twenty strokes
  std::vector<Vertex> vertices(kVerticesPerCharacter * (text.size() + 1));
  const int quads = stb_easy_font_print(0, 0, text.data(), nullptr, vertices.data(),
                                        static_cast<int>(vertices.size() * sizeof(Vertex)));
  const auto at = [&](int origin, float offset) { return origin + static_cast<int>(std::lround(offset)) * scale; };
  for (int i = 0; i < quads; ++i) {
    const Vertex &from = vertices[4 * i], &to = vertices[4 * i + 2];
    fill(image, {at(x, from.x), at(y, from.y), at(x, to.x), at(y, to.y)}, colour);
  }
}

/// Black or white, whichever can be read on `background` (ITU-R BT.601 luma).
Colour readable_on(Colour background) {
  const int luma = 299 * background[0] + 587 * background[1] + 114 * background[2];
  return luma > 128 * 1000 ? Colour{0, 0, 0} : Colour{255, 255, 255};
}

}  // namespace

Colour class_colour(int category) {
  // Hues a golden section apart keep neighbouring numbers distinct, however many classes there are.
  constexpr double kGoldenSection = 0.6180339887498949, kWeakest = 40, kRange = 215;
  const double hue = 6 * std::fmod(kGoldenSection * category + 0.33, 1.0);
  Colour colour;
  for (int c = 0; c < 3; ++c) {
    const double distance = std::fabs(std::fmod(hue - 2 * c + 9, 6.0) - 3);  // from the channel's own hue, 0 to 3
    colour[c] = static_cast<std::uint8_t>(std::lround(kWeakest + kRange * std::clamp(2 - distance, 0.0, 1.0)));
  }
  return colour;
}

void draw_box(Image& image, const Box& box, const std::string& label, Colour colour) {
  const auto clamped = [](float value, int size) { return std::clamp(value, 0.0f, static_cast<float>(size)); };
  if (!(box.x2 >= box.x1 && box.y2 >= box.y1)) return;
  const PixelRect outline{static_cast<int>(std::floor(clamped(box.x1, image.width))),
                          static_cast<int>(std::floor(clamped(box.y1, image.height))),
                          static_cast<int>(std::ceil(clamped(box.x2, image.width))),
                          static_cast<int>(std::ceil(clamped(box.y2, image.height)))};
  const int side = std::min(image.width, image.height);
  const int line = std::max(1, (side + 100) / 200);
  const auto [x1, y1, x2, y2] = outline;
  fill(image, {x1, y1, x2, std::min(y1 + line, y2)}, colour);
  fill(image, {x1, std::max(y2 - line, y1), x2, y2}, colour);
  fill(image, {x1, y1, std::min(x1 + line, x2), y2}, colour);
  fill(image, {std::max(x2 - line, x1), y1, x2, y2}, colour);
  if (label.empty()) return;

  std::string text = in_font(label);
  const int scale = std::max(1, (side + 200) / 400);
  const int width = (stb_easy_font_width(text.data()) + 3) * scale, height = (kTextHeight + 2) * scale;
  const int left = std::max(0, std::min(x1, image.width - width));
  const int top = y1 >= height ? y1 - height : y1;
  fill(image, {left, top, left + width, top + height}, colour);
  draw_text(image, std::move(text), left + 2 * scale, top + 2 * scale, scale, readable_on(colour));
}

int enlarge(Image& image, int side) {
  const auto [shorter, longer] = std::minmax(image.width, image.height);
  if (shorter <= 0 || shorter >= side) return 1;
  const int factor = std::min((side + shorter - 1) / shorter, std::max(1, kLongestEnlarged / longer));
  if (factor == 1) return 1;
  Image large{image.width * factor, image.height * factor, {}};
  large.rgb.resize(image.rgb.size() * factor * factor);
  for (int y = 0; y < large.height; ++y) {
    for (int x = 0; x < large.width; ++x) std::copy_n(image.pixel(x / factor, y / factor), 3, large.pixel(x, y));
  }
  image = std::move(large);
  return factor;
}

int reduce(Image& image, int side) {
  const int divisor = (std::max(image.width, image.height) + side - 1) / side;
  if (divisor <= 1) return 1;
  Image small{(image.width + divisor - 1) / divisor, (image.height + divisor - 1) / divisor, {}};
  small.rgb.resize(std::size_t{3} * small.width * small.height);
  for (int y = 0; y < small.height; ++y) {
    for (int x = 0; x < small.width; ++x) std::copy_n(image.pixel(x * divisor, y * divisor), 3, small.pixel(x, y));
  }
  image = std::move(small);
  return divisor;
}

Image draw_detections(Image image, const std::vector<Annotation>& truth, const std::vector<DetectedBox>& detections,
                      const std::vector<std::string>& classes, float min_score) {
  const float divisor = static_cast<float>(reduce(image, kLongestJpegSide));
  const float factor = static_cast<float>(enlarge(image, 384)) / divisor;
  const auto enlarged = [factor](const Box& b) {
    return Box{b.x1 * factor, b.y1 * factor, b.x2 * factor, b.y2 * factor};
  };
  for (const Annotation& a : truth) draw_box(image, enlarged(a.rect.box()), "", {255, 255, 255});
  for (auto d = detections.rbegin(); d != detections.rend(); ++d) {  // the best on top
    if (d->score < min_score) continue;
    char score[16];
    std::snprintf(score, sizeof score, " %.2f", static_cast<double>(d->score));
    draw_box(image, enlarged(d->box), classes[d->label] + score, class_colour(d->label));
  }
  return image;
}

Window window_around(const Rect& rect, int width, int height) {
  constexpr double kMargin = 0.5;  // of the longer side
  const double margin = kMargin * std::max(rect.w, rect.h);
  const auto inside = [](double edge, int size) {
    return static_cast<int>(std::clamp(std::round(edge), 0.0, static_cast<double>(size)));
  };
  const int left = inside(rect.x - margin, width), right = inside(rect.x + rect.w + margin, width);
  const int top = inside(rect.y - margin, height), bottom = inside(rect.y + rect.h + margin, height);
  if (right <= left || bottom <= top) return {};
  return {left, top, right - left, bottom - top};
}

}  // namespace diopter
