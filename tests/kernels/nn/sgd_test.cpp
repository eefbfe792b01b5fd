#include "kernels/nn/sgd.h"

#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

struct Step {
  float lr = 0.1f, gradient_scale = 1.0f, momentum = 0.9f;
  bool nesterov = false;
  std::int32_t skip = 0;

  void operator()(const std::vector<SgdSegment>& segments) const {
    cpu::sgd_step(SgdArgs{.segments = segments.data(),
                          .segment_count = static_cast<int>(segments.size()),
                          .lr = &lr,
                          .gradient_scale = &gradient_scale,
                          .skip = &skip,
                          .momentum = momentum,
                          .nesterov = nesterov});
  }
};

/// w after each of three steps from w = 1 with the gradients 0.5, -0.25, 1.
std::vector<float> three_steps(const Step& step, float lr_factor, float weight_decay) {
  float w = 1.0f, velocity = 0.0f, gradient = 0.0f;
  std::vector<float> result;
  for (float g : {0.5f, -0.25f, 1.0f}) {
    gradient = g;
    step({{&w, &gradient, &velocity, nullptr, 1, lr_factor, weight_decay}});
    result.push_back(w);
  }
  return result;
}

// Worked out by hand from the formula of torch.optim.SGD.
TEST_CASE("sgd: three steps by hand") {
  SECTION("momentum") {
    // v = 0.5, 0.2, 1.18
    require_close(three_steps({}, 1, 0), std::vector<double>{0.95, 0.93, 0.812}, Tolerance::elementwise);
  }
  SECTION("Nesterov") {
    // g + 0.9 v = 0.95, -0.07, 2.062
    require_close(three_steps({.nesterov = true}, 1, 0), std::vector<double>{0.905, 0.912, 0.7058},
                  Tolerance::elementwise);
  }
  SECTION("weight decay") {
    // g = 0.6, -0.156, 1.09016;  v = 0.6, 0.384, 1.43576
    require_close(three_steps({}, 1, 0.1f), std::vector<double>{0.94, 0.9016, 0.758024}, Tolerance::elementwise);
  }
  SECTION("learning-rate factor") {
    require_close(three_steps({}, 0.5f, 0), std::vector<double>{0.975, 0.965, 0.906}, Tolerance::elementwise);
  }
  SECTION("gradient scale, which does not touch the weight decay") {
    // g = 0.35, -0.0285, 0.593635;  v = 0.35, 0.2865, 0.851485
    require_close(three_steps({.gradient_scale = 0.5f}, 1, 0.1f), std::vector<double>{0.965, 0.93635, 0.8512015},
                  Tolerance::elementwise);
  }
  SECTION("no momentum") {
    require_close(three_steps({.momentum = 0.0f}, 1, 0), std::vector<double>{0.95, 0.975, 0.875},
                  Tolerance::elementwise);
  }
}

TEST_CASE("sgd: a skipped step changes nothing, a null skip flag never skips") {
  std::vector<float> w{1, 2}, velocity{3, 4};
  const std::vector<float> gradient{kNan, 1};
  std::vector<bf16> copy(2, bf16(7.0f));
  const std::vector<SgdSegment> segments{{w.data(), gradient.data(), velocity.data(), copy.data(), 2, 1, 0.5f}};
  Step{.skip = 1}(segments);
  CHECK(w == std::vector<float>{1, 2});
  CHECK(velocity == std::vector<float>{3, 4});
  CHECK(float(copy[0]) == 7.0f);
  const float lr = 1, scale = 1;
  cpu::sgd_step(
      SgdArgs{.segments = segments.data(), .segment_count = 1, .lr = &lr, .gradient_scale = &scale, .skip = nullptr});
  CHECK(std::isnan(w[0]));
  CHECK(w[1] == Approx(2 - (0.9 * 4 + 1 + 0.5 * 2)));
}

TEST_CASE("sgd: many segments of any size, with rounded copies, for any number of threads") {
  const std::vector<std::int64_t> counts{0, 1, 31, 32, 0, 33, 255, 100003, 256, 257, 0};
  const std::size_t n = 100868;
  const auto start = random_array(n, 1), gradient = random_array(n, 2);
  require_same_bits_for_any_thread_count([&] {
    auto w = start;
    std::vector<float> velocity(n);
    std::vector<bf16> copy = garbage<bf16>(n);
    std::vector<SgdSegment> segments;
    std::vector<double> expected(n);
    std::size_t at = 0;
    for (std::size_t s = 0; s < counts.size(); ++s) {
      const float lr_factor = 1.0f + static_cast<float>(s), weight_decay = 0.01f * static_cast<float>(s);
      segments.push_back({w.data() + at, gradient.data() + at, velocity.data() + at, s % 2 ? copy.data() + at : nullptr,
                          counts[s], lr_factor, weight_decay});
      for (std::int64_t i = 0; i < counts[s]; ++i, ++at) {
        expected[at] = start[at] - 0.1 * lr_factor * (gradient[at] + static_cast<double>(weight_decay) * start[at]);
      }
    }
    REQUIRE(at == n);
    Step{}(segments);
    require_close(w, expected, Tolerance::elementwise);
    at = 0;
    std::size_t wrong_copies = 0;
    for (std::size_t s = 0; s < counts.size(); ++s) {
      for (std::int64_t i = 0; i < counts[s]; ++i, ++at) {
        const bool written = !std::isnan(float(copy[at]));
        wrong_copies += s % 2 ? copy[at].bits != bf16(w[at]).bits : written;
      }
    }
    CHECK(wrong_copies == 0);
    return w;
  });
}

TEST_CASE("sgd: no segments") { CHECK_NOTHROW(Step{}({})); }

}  // namespace
}  // namespace diopter
