#include "kernels/nn/upsample.h"

#include "kernels/base/check.h"
#include "kernels/plain/upsample.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

TEMPLATE_TEST_CASE("upsample: forward and backward equal plain loops, also at non-integer ratios", "", float, bf16) {
  const Device device = GENERATE(from_range(devices()));
  struct Case {
    LevelShape in;
    int channels, h, w;
  };
  const Case cases[] = {{{2, 4, 3}, 5, 8, 6},    {{2, 9, 7}, 264, 18, 14}, {{1, 3, 5}, 33, 7, 8}, {{2, 1, 1}, 2, 5, 4},
                        {{1, 7, 25}, 3, 13, 50}, {{1, 4, 4}, 3, 4, 4},     {{0, 3, 3}, 2, 6, 6}};
  for (const Case& c : cases) {
    INFO(c.in.h << "x" << c.in.w << " to " << c.h << "x" << c.w << " on " << device_name(device));
    const std::size_t inputs = c.in.rows() * c.channels, outputs = std::size_t(c.in.n) * c.h * c.w * c.channels;
    const auto x = random_array<TestType>(inputs, 1), dy = random_array<TestType>(outputs, 2);
    std::vector<TestType> expected_y(outputs);
    std::vector<double> expected_dx(inputs);
    plain::upsample_forward(c.in, c.channels, c.h, c.w, x.data(), expected_y.data());
    plain::upsample_backward(c.in, c.channels, c.h, c.w, dy.data(), expected_dx.data());
    auto y = garbage<TestType>(outputs), dx = garbage<TestType>(inputs);
    on(device, [&](auto& at) { DIOPTER_DISPATCH(device, upsample_forward, c.in, c.channels, c.h, c.w, at(x), at(y)); });
    CHECK(to_float(y) == to_float(expected_y));
    on(device,
       [&](auto& at) { DIOPTER_DISPATCH(device, upsample_backward, c.in, c.channels, c.h, c.w, at(dy), at(dx)); });
    require_close(to_float(dx), expected_dx, tolerance<TestType>(Tolerance::elementwise));
  }
}

TEST_CASE("upsample: 3 to 5 pixels copies 0 0 1 1 2") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const std::vector<float> x{10, 20, 30};
  auto y = garbage(5);
  const LevelShape line{1, 1, 3};
  on(device, [&](auto& at) { DIOPTER_DISPATCH(device, upsample_forward, line, 1, 1, 5, at(x), at(y)); });
  CHECK(y == std::vector<float>{10, 10, 20, 20, 30});
}

TEST_CASE("upsample: a smaller output is an error") {
  const Device device = GENERATE(from_range(devices()));
  float value = 0;
  const LevelShape in{1, 2, 2};
  CHECK_THROWS_AS(DIOPTER_DISPATCH(device, upsample_forward, in, 1, 2, 1, &value, &value), Error);
}

}  // namespace
}  // namespace diopter
