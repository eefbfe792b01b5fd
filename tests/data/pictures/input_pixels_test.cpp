#include "data/pictures/input_pixels.h"

#include <algorithm>

#include "data/pictures/bilinear.h"
#include "kernels/base/philox.h"
#include "tests/support/catch.h"

using namespace diopter;

namespace {

Image noise(int width, int height, Philox& random) {
  Image image{width, height, std::vector<std::uint8_t>(static_cast<std::size_t>(width) * height * 3)};
  for (std::uint8_t& v : image.rgb) v = static_cast<std::uint8_t>(random.next());
  return image;
}

std::vector<float> part_of(const std::vector<float>& pixels, int width, const Window& window) {
  std::vector<float> part;
  for (int y = window.y; y < window.y + window.height; ++y) {
    const float* row = &pixels[(static_cast<std::size_t>(y) * width + window.x) * 3];
    part.insert(part.end(), row, row + static_cast<std::ptrdiff_t>(window.width) * 3);
  }
  return part;
}

/// All pixels of the crop, then all of the resized picture, then the view.
std::vector<float> plainly(const Image& image, const PixelPlan& plan, const Normalisation& norm) {
  PixelPlan first = plan;
  first.width = plan.crop.width;
  first.height = plan.crop.height;
  first.view = {0, 0, first.width, first.height};
  const std::vector<float> pixels = input_pixels(image, first, norm);
  std::vector<float> resized(static_cast<std::size_t>(plan.width) * plan.height * 3);
  resize_bilinear(pixels.data(), first.width, {first.width, plan.width}, {first.height, plan.height}, resized.data());
  return part_of(resized, plan.width, plan.view);
}

}  // namespace

TEST_CASE("the pixels that a view needs have the bits that they have among all") {
  Philox random(8, 1);
  const auto below = [&](int n) { return static_cast<int>(random.next() % static_cast<std::uint32_t>(n)); };
  int smaller = 0, larger = 0;
  for (int i = 0; i < 200; ++i) {
    const Image image = noise(1 + below(60), 1 + below(40), random);
    PixelPlan plan{};
    plan.crop.x = below(image.width);
    plan.crop.y = below(image.height);
    plan.crop.width = 1 + below(image.width - plan.crop.x);
    plan.crop.height = 1 + below(image.height - plan.crop.y);
    plan.flip = below(2) == 0;
    if (below(3) > 0) {
      plan.colours = {random.uniform(0.5f, 1.5f), random.uniform(0.5f, 1.5f), random.uniform(0.5f, 1.5f),
                      random.uniform(-0.5f, 0.5f)};
    }
    plan.width = 1 + below(70);
    plan.height = 1 + below(50);
    plan.view.x = below(plan.width);
    plan.view.y = below(plan.height);
    plan.view.width = 1 + below(plan.width - plan.view.x);
    plan.view.height = 1 + below(plan.height - plan.view.y);
    Normalisation norm;
    norm.bgr = below(2) == 0;
    INFO("plan " << i);
    REQUIRE(input_pixels(image, plan, norm) == plainly(image, plan, norm));
    smaller += plan.width < plan.crop.width;
    larger += plan.width > plan.crop.width;

    plan.filter = ResizeFilter::pillow;
    PixelPlan whole = plan;
    whole.view = {0, 0, plan.width, plan.height};
    REQUIRE(input_pixels(image, plan, norm) == part_of(input_pixels(image, whole, norm), plan.width, plan.view));
  }
  CHECK(smaller > 20);
  CHECK(larger > 20);
}
