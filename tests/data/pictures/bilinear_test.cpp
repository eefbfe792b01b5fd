#include "data/pictures/bilinear.h"

#include <algorithm>
#include <cmath>

#include "tests/support/catch.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

using namespace diopter;
using test::require_close;
using test::Tolerance;
using test::uniform;

namespace {

std::vector<float> resized(const std::vector<float>& in, int width, int height, int out_width, int out_height) {
  std::vector<float> out(std::size_t{3} * out_width * out_height, -1.0f);
  resize_bilinear(in.data(), width, {width, out_width}, {height, out_height}, out.data());
  return out;
}

/// The values once for each of the three channels, offset by 10 a channel.
std::vector<float> three_channels(const std::vector<float>& values) {
  std::vector<float> result;
  for (const float v : values) {
    for (int c = 0; c < 3; ++c) result.push_back(v + 10.0f * static_cast<float>(c));
  }
  return result;
}

}  // namespace

TEST_CASE("bilinear resizing has half-pixel centres") {
  // Two pixels to four: sources -0.25 (clamped to 0), 0.25, 0.75, 1.25 (clamped to 1).
  require_close(resized(three_channels({0, 1}), 2, 1, 4, 1), three_channels({0, 0.25f, 0.75f, 1}),
                Tolerance::elementwise);
  // Four to two, without antialiasing: sources 0.5 and 2.5. Three to two: 0.25 and 1.75.
  require_close(resized(three_channels({0, 1, 4, 9}), 4, 1, 2, 1), three_channels({0.5f, 6.5f}),
                Tolerance::elementwise);
  require_close(resized(three_channels({0, 1, 4}), 1, 3, 1, 2), three_channels({0.25f, 3.25f}), Tolerance::elementwise);
  // Both axes: [[0, 2], [4, 6]] to 3 x 3, sources 0 (clamped), 0.5, 1 along each.
  require_close(resized(three_channels({0, 2, 4, 6}), 2, 2, 3, 3), three_channels({0, 1, 2, 2, 3, 4, 4, 5, 6}),
                Tolerance::elementwise);
  // One pixel fills everything; the same size changes nothing.
  require_close(resized(three_channels({7}), 1, 1, 2, 3), three_channels({7, 7, 7, 7, 7, 7}), Tolerance::elementwise);
  const std::vector<float> picture = uniform(3 * 5 * 4, 0, 255, 1);
  require_close(resized(picture, 5, 4, 5, 4), picture, Tolerance::elementwise);
}

TEST_CASE("bilinear resizing agrees with the formula pixel by pixel") {
  const int width = 13, height = 7;
  const std::vector<float> in = uniform(3 * width * height, -2, 2, 2);
  for (const auto& [out_width, out_height] : {std::pair(5, 3), std::pair(29, 16), std::pair(13, 20), std::pair(1, 1)}) {
    std::vector<double> expected;
    for (int y = 0; y < out_height; ++y) {
      for (int x = 0; x < out_width; ++x) {
        const double sx = std::clamp((x + 0.5) * width / out_width - 0.5, 0.0, width - 1.0);
        const double sy = std::clamp((y + 0.5) * height / out_height - 0.5, 0.0, height - 1.0);
        for (int c = 0; c < 3; ++c) {
          double sum = 0;
          for (int v = 0; v < height; ++v) {
            for (int u = 0; u < width; ++u) {
              sum += std::max(0.0, 1 - std::fabs(sx - u)) * std::max(0.0, 1 - std::fabs(sy - v)) *
                     in[3 * (v * width + u) + c];
            }
          }
          expected.push_back(sum);
        }
      }
    }
    require_close(resized(in, width, height, out_width, out_height), expected, Tolerance::sum);
  }
}

TEST_CASE("a part of a bilinear resize, of the source pixels that it uses alone, has the bits of the whole") {
  for (const auto& [in, out] :
       {std::pair(1, 1), std::pair(1, 5), std::pair(7, 3), std::pair(40, 10), std::pair(9, 31)}) {
    const std::vector<float> source = uniform(std::size_t{3} * in, -2, 2, 4);
    const std::vector<float> whole = resized(source, in, 1, out, 1);
    for (int begin = 0; begin < out; ++begin) {
      for (int count = 1; begin + count <= out; ++count) {
        BilinearAxis axis(in, out, begin, count);
        const std::vector<int> used = keep_used(axis);
        REQUIRE(std::ranges::is_sorted(used));
        REQUIRE(static_cast<int>(used.size()) <= std::min(in, 2 * count));
        std::vector<float> kept, part(std::size_t{3} * count);
        for (const int i : used) kept.insert(kept.end(), &source[3 * i], &source[3 * i] + 3);
        resize_bilinear(kept.data(), static_cast<int>(used.size()), axis, {1, 1}, part.data());
        REQUIRE(std::equal(part.begin(), part.end(), whole.begin() + 3 * begin));
      }
    }
  }
}
