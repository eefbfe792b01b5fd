#include "kernels/nn/sgd.h"

#include "kernels/plain/sgd.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

struct OneStep {
  float lr = 0.1f, gradient_scale = 1.0f, momentum = 0.9f;
  bool nesterov = false;
  std::int32_t skip = 0;
};

/// Gives sgd_step, a function of SgdArgs, one step over segments whose pointers are those of `at`.
template <class SgdStep>
void run_sgd(const OneStep& step, DeviceArrays& at, std::vector<SgdSegment> segments, const SgdStep& sgd_step) {
  const std::vector<float> rate{step.lr}, scale{step.gradient_scale};
  const std::vector<std::int32_t> flag{step.skip};
  const std::int64_t chunks = number_chunks(segments);
  sgd_step(SgdArgs{.segments = at(std::as_const(segments)),
                   .segment_count = static_cast<int>(segments.size()),
                   .chunks = chunks,
                   .lr = at(rate),
                   .gradient_scale = at(scale),
                   .skip = step.skip < 0 ? nullptr : at(flag),
                   .momentum = step.momentum,
                   .nesterov = step.nesterov});
}

void run_sgd(const OneStep& step, Device device, DeviceArrays& at, const std::vector<SgdSegment>& segments) {
  run_sgd(step, at, segments, [device](const SgdArgs& args) { DIOPTER_DISPATCH(device, sgd_step, args); });
}

/// w after each of three steps from w = 1 with the gradients 0.5, -0.25, 1.
std::vector<float> three_steps(Device device, const OneStep& step, float weight_decay) {
  std::vector<float> w{1}, velocity{0}, result;
  for (float g : {0.5f, -0.25f, 1.0f}) {
    const std::vector<float> gradient{g};
    on(device, [&](auto& at) {
      run_sgd(step, device, at, {{at(w), at(gradient), at(velocity), nullptr, 1, weight_decay}});
    });
    result.push_back(w[0]);
  }
  return result;
}

// Worked out by hand from the formula of torch.optim.SGD.
TEST_CASE("sgd: three steps by hand") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  SECTION("momentum") {
    // v = 0.5, 0.2, 1.18
    require_close(three_steps(device, {}, 0), std::vector<double>{0.95, 0.93, 0.812}, Tolerance::elementwise);
  }
  SECTION("Nesterov") {
    // g + 0.9 v = 0.95, -0.07, 2.062
    require_close(three_steps(device, {.nesterov = true}, 0), std::vector<double>{0.905, 0.912, 0.7058},
                  Tolerance::elementwise);
  }
  SECTION("weight decay") {
    // g = 0.6, -0.156, 1.09016;  v = 0.6, 0.384, 1.43576
    require_close(three_steps(device, {}, 0.1f), std::vector<double>{0.94, 0.9016, 0.758024}, Tolerance::elementwise);
  }
  SECTION("learning rate") {
    require_close(three_steps(device, {.lr = 0.05f}, 0), std::vector<double>{0.975, 0.965, 0.906},
                  Tolerance::elementwise);
  }
  SECTION("gradient scale, which does not touch the weight decay") {
    // g = 0.35, -0.0285, 0.593635;  v = 0.35, 0.2865, 0.851485
    require_close(three_steps(device, {.gradient_scale = 0.5f}, 0.1f), std::vector<double>{0.965, 0.93635, 0.8512015},
                  Tolerance::elementwise);
  }
  SECTION("no momentum") {
    require_close(three_steps(device, {.momentum = 0.0f}, 0), std::vector<double>{0.95, 0.975, 0.875},
                  Tolerance::elementwise);
  }
}

TEST_CASE("sgd: a skipped step changes nothing, a null skip flag never skips") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  std::vector<float> w{1, 2}, velocity{3, 4};
  const std::vector<float> gradient{kNan, 1};
  std::vector<bf16> copy(2, bf16(7.0f));
  const auto run_with = [&](const OneStep& step) {
    on(device, [&](auto& at) { run_sgd(step, device, at, {{at(w), at(gradient), at(velocity), at(copy), 2, 0.5f}}); });
  };
  run_with({.skip = 1});
  CHECK(w == std::vector<float>{1, 2});
  CHECK(velocity == std::vector<float>{3, 4});
  CHECK(float(copy[0]) == 7.0f);
  run_with({.lr = 1, .skip = -1});
  CHECK(std::isnan(w[0]));
  CHECK(w[1] == Approx(2 - (0.9 * 4 + 1 + 0.5 * 2)));
}

TEST_CASE("sgd: control clips, and skips from the first number that is not finite") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  struct Control {
    float norm, scale;
    std::int32_t skip;
  };
  const auto control = [&](float squared, float factor, float clip, std::vector<float> losses = {},
                           std::int32_t skip = 0) {
    const std::vector<float> squares{squared};
    std::vector<float> norm{-1}, scale{-1};
    std::vector<std::int32_t> flag{skip};
    on(device, [&](auto& at) {
      const SgdControlArgs args{.squared_norm = at(squares),
                                .losses = at(std::as_const(losses)),
                                .loss_count = static_cast<int>(losses.size()),
                                .factor = factor,
                                .clip_norm = clip,
                                .norm = at(norm),
                                .gradient_scale = at(scale),
                                .skip = at(flag)};
      DIOPTER_DISPATCH(device, sgd_control, args);
    });
    return Control{norm[0], scale[0], flag[0]};
  };
  CHECK(control(36, 0.5f, 0).norm == 3);
  CHECK(control(36, 0.5f, 0).scale == 0.5f);
  CHECK(control(36, 0.5f, 3).scale == 0.5f);
  CHECK(control(36, 0.5f, 2).scale == Approx(0.5 * 2 / 3));
  CHECK(control(0, 1, 2).scale == 1);
  CHECK(control(36, 1, 0, {1, 2}).skip == 0);
  CHECK(control(36, 1, 0, {1, 2}, 1).skip == 1);
  CHECK(control(36, 1, 0, {1, kNan}).skip == 1);
  CHECK(control(36, 1, 0, {-INFINITY, 1}).skip == 1);
  CHECK(control(kNan, 1, 0).skip == 1);
  CHECK(control(INFINITY, 1, 3).skip == 1);
}

TEST_CASE("sgd: many segments of any size, with rounded copies, the same bits each time") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const std::vector<std::int64_t> counts{0, 1, 31, 32, 0, 33, 255, 4095, 4096, 0, 0, 4097, 100003, 256, 257, 0};
  const std::size_t n = 113156;
  const auto start = random_array(n, 1), gradient = random_array(n, 2), start_velocity = random_array(n, 3);
  const OneStep step{.gradient_scale = 0.5f, .nesterov = true};
  struct Arrays {
    std::vector<float> w, velocity;
    std::vector<bf16> copy = garbage<bf16>(n);
  };
  const auto segments_of = [&](DeviceArrays& arrays, Arrays& a) {
    std::vector<SgdSegment> segments;
    std::size_t at = 0;
    for (std::size_t s = 0; s < counts.size(); at += counts[s++]) {
      segments.push_back({arrays(a.w) + at, arrays(gradient) + at, arrays(a.velocity) + at,
                          s % 2 ? arrays(a.copy) + at : nullptr, counts[s], 0.01f * static_cast<float>(s)});
    }
    REQUIRE(at == n);
    return segments;
  };
  Arrays expected{start, start_velocity};
  on(Device::cpu, [&](auto& at) { run_sgd(step, at, segments_of(at, expected), plain::sgd_step); });
  const std::vector<double> expected_w(expected.w.begin(), expected.w.end());
  const std::vector<double> expected_velocity(expected.velocity.begin(), expected.velocity.end());

  require_same_bits_each_time(device, [&] {
    Arrays found{start, start_velocity};
    on(device, [&](auto& at) { run_sgd(step, device, at, segments_of(at, found)); });
    const auto &w = found.w, &velocity = found.velocity;
    const auto& copy = found.copy;
    require_close(w, expected_w, Tolerance::elementwise);
    require_close(velocity, expected_velocity, Tolerance::elementwise);
    std::size_t at = 0, wrong_copies = 0;
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

TEST_CASE("sgd: chunks are numbered through the segments, empty ones have none") {
  std::vector<SgdSegment> segments;
  for (std::int64_t count : {0, 1, 4096, 0, 4097, 8193}) segments.push_back({{}, {}, {}, {}, count, 0});
  CHECK(number_chunks(segments) == 7);
  const std::vector<int> expected{1, 2, 4, 4, 5, 5, 5};
  for (int chunk = 0; chunk < 7; ++chunk) {
    const SgdSegment& segment = segment_of_chunk(segments.data(), static_cast<int>(segments.size()), chunk);
    CHECK(&segment - segments.data() == expected[chunk]);
  }
}

TEST_CASE("sgd: no segments") {
  const Device device = GENERATE(from_range(devices()));
  on(device, [&](auto& at) { CHECK_NOTHROW(run_sgd({}, device, at, {})); });
}

}  // namespace
}  // namespace diopter
