#include "kernels/nn/pictures.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "kernels/base/philox.h"
#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/device_buffer.h"

namespace diopter {
namespace {

struct Input {
  int height, width;
  std::vector<std::uint8_t> bytes;
  std::vector<PictureBytes> pictures;
  Normalisation norm{{0.5f, 0.4f, 0.3f}, {0.2f, 0.3f, 0.4f}, 255};

  void add(int width_of, int height_of, int resized_width, int resized_height, int x = 0, int y = 0) {
    pictures.push_back({.offset = static_cast<std::int64_t>(bytes.size()),
                        .width = width_of,
                        .height = height_of,
                        .resized_width = resized_width,
                        .resized_height = resized_height,
                        .x = x,
                        .y = y,
                        .seen_width = std::min(resized_width - x, width),
                        .seen_height = std::min(resized_height - y, height)});
    Philox random(bytes.size(), 1);
    for (int i = 3 * width_of * height_of; i > 0; --i) bytes.push_back(static_cast<std::uint8_t>(random.below(256)));
  }
};

std::vector<float> input_on(Device device, const Input& in) {
  const int images = static_cast<int>(in.pictures.size());
  std::vector<float> y(in.pictures.size() * in.height * in.width * 3 + 1, -77);  // one more, not to be written
  test::on(device, [&](auto& at) {
    DIOPTER_DISPATCH(device, pictures_to_input,
                     PictureArgs{images, in.height, in.width, at(in.bytes), at(in.pictures), in.norm, at(y)});
  });
  REQUIRE(y.back() == -77);
  y.pop_back();
  return y;
}

/// A pixel in the channel order red, green, blue with changed colours, in double, from the formulas.
std::array<double, 3> changed(const ColourMap& map, std::array<double, 3> rgb) {
  const auto clamp = [](double v) { return std::clamp(v, 0.0, 255.0); };
  for (double& v : rgb) v = clamp(v * double{map.brightness});
  for (double& v : rgb) v = clamp(double{map.centre} + (v - double{map.centre}) * double{map.contrast});
  const double grey = 0.299 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2];
  for (double& v : rgb) v = clamp(grey + (v - grey) * double{map.saturation});
  std::array<double, 3> turned;
  for (int c = 0; c < 3; ++c) {
    turned[c] = clamp(double{map.same} * rgb[c] + double{map.next} * rgb[(c + 1) % 3] +
                      double{map.previous} * rgb[(c + 2) % 3]);
  }
  return turned;
}

/// In double, from the formula.
std::vector<double> plain_input(const Input& in) {
  std::vector<double> y;
  for (const PictureBytes& p : in.pictures) {
    for (int row = 0; row < in.height; ++row) {
      for (int column = 0; column < in.width; ++column) {
        for (int c = 0; c < 3; ++c) {
          if (row >= p.seen_height || column >= p.seen_width) {
            y.push_back(0);
            continue;
          }
          const auto source = [](int i, double size, int resized) {
            return std::clamp((i + 0.5) * size / resized - 0.5, 0.0, size - 1);
          };
          const double sy = source(p.y + row, p.height, p.resized_height);
          const double sx = source(p.x + column, p.width, p.resized_width);
          double sum = 0;
          for (int v = 0; v < p.height; ++v) {
            for (int h = 0; h < p.width; ++h) {
              const double weight = std::max(0.0, 1 - std::fabs(v - sy)) * std::max(0.0, 1 - std::fabs(h - sx));
              const std::uint8_t* x = &in.bytes[p.offset + 3 * (v * p.width + h)];
              const int red = in.norm.bgr ? 2 : 0;
              const std::array<double, 3> rgb{double(x[red]), double(x[1]), double(x[2 - red])};
              const double byte = changed(p.colours, rgb)[in.norm.bgr ? 2 - c : c];
              sum += weight * (byte / double{in.norm.divisor} - double{in.norm.mean[c]}) / double{in.norm.std[c]};
            }
          }
          y.push_back(sum);
        }
      }
    }
  }
  return y;
}

TEST_CASE("pictures: normalised, resized, with zeros around, as the formula says") {
  const Device device = GENERATE(from_range(test::devices()));
  INFO(test::device_name(device));
  Input in{40, 33, {}, {}};
  in.add(7, 5, 33, 40);
  in.add(20, 30, 9, 11);
  in.add(1, 1, 20, 3);
  in.add(13, 9, 60, 50, 22, 7);
  test::require_close(input_on(device, in), plain_input(in), test::Tolerance::elementwise);
  CHECK(input_on(device, Input{8, 8, {}, {}}).empty());
}

TEST_CASE("pictures: colours change as the formula says, in either order of the channels") {
  const Device device = GENERATE(from_range(test::devices()));
  INFO(test::device_name(device));
  Input in{12, 9, {}, {}};
  in.norm.bgr = GENERATE(false, true);
  for (const ColourMap& map :
       {ColourMap{.brightness = 1.3f}, ColourMap{.contrast = 1.4f, .centre = 90}, ColourMap{.saturation = 0.4f},
        ColourMap{.saturation = 1.8f}, ColourMap{.same = 0.2f, .next = 0.9f, .previous = -0.1f},
        ColourMap{.brightness = 0.8f,
        .contrast = 0.7f,
        .centre = 120,
        .saturation = 1.2f,
        .same = 0.5f,
        .next = -0.2f,
        .previous = 0.7f}}) {
    in.add(7, 5, 9, 12);
    in.pictures.back().colours = map;
  }
  in.add(8, 8, 8, 8);  // among changed ones, one as it is
  test::require_close(input_on(device, in), plain_input(in), test::Tolerance::elementwise);
}

TEST_CASE("pictures: one that keeps its size has the values of the normalisation, bit for bit") {
  const Device device = GENERATE(from_range(test::devices()));
  INFO(test::device_name(device));
  for (const int width : {1, 31, 32, 33, 300}) {
    Input in{7, width, {}, {}};
    in.add(width, 7, width, 7);
    const std::vector<float> y = input_on(device, in);
    for (std::size_t i = 0; i < y.size(); ++i) {
      REQUIRE(y[i] == in.norm(static_cast<float>(in.bytes[i]), static_cast<int>(i % 3)));
    }
  }
}

}  // namespace
}  // namespace diopter
