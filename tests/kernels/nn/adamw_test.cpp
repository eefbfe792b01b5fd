#include "kernels/nn/adamw.h"

#include <cmath>

#include "kernels/plain/adamw.h"
#include "tests/kernels/nn/arrays.h"

namespace diopter {
namespace {

using namespace test;

struct Step {
  float lr = 0.01f, gradient_scale = 1;
  std::int64_t number = 1;
  std::int32_t skip = 0;
};

/// Gives adamw_step, a function of AdamwArgs, one step over segments whose pointers are those of `at`.
template <class AdamwStep>
void run(const Step& step, DeviceArrays& at, std::vector<AdamwSegment> segments, const AdamwStep& adamw_step) {
  AdamwArgs args{};
  const auto number = static_cast<double>(step.number);
  const std::vector<float> rates{step.lr, static_cast<float>(1 - std::pow(args.beta1, number)),
                                 static_cast<float>(1 - std::pow(args.beta2, number))},
      scale{step.gradient_scale};
  const std::vector<std::int32_t> flag{step.skip};
  args.chunks = number_chunks(segments);
  args.segments = at(std::as_const(segments));
  args.segment_count = static_cast<int>(segments.size());
  args.rates = at(rates);
  args.gradient_scale = at(scale);
  args.skip = step.skip < 0 ? nullptr : at(flag);
  adamw_step(args);
}

void run(const Step& step, Device device, DeviceArrays& at, const std::vector<AdamwSegment>& segments) {
  run(step, at, segments, [device](const AdamwArgs& args) { DIOPTER_DISPATCH(device, adamw_step, args); });
}

TEST_CASE("adamw: the first steps by hand") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  // Whatever its size, the first gradient moves a weight by lr; the decay takes lr * weight_decay of it.
  std::vector<float> w{1, 1, 1}, m(3), v(3);
  const std::vector<float> gradient{0.5f, -300, 0};
  on(device, [&](auto& at) {
    run({.lr = 0.1f, .gradient_scale = 2}, device, at, {{at(w), at(gradient), at(m), at(v), nullptr, 3, 0.2f}});
  });
  require_close(w, std::vector<double>{0.88, 1.08, 0.98}, Tolerance::elementwise);
  require_close(m, std::vector<double>{0.1, -60, 0}, Tolerance::elementwise);
  require_close(v, std::vector<double>{0.001, 360, 0}, Tolerance::elementwise);
  // The second step, t = 2: m = 0.9 * 0.1 + 0.1 * -1 = -0.01, v = 0.999 * 0.001 + 0.001 = 0.001999,
  // w = 0.98 * 0.88 + 0.1 * (0.01 / 0.19) / sqrt(0.001999 / 0.001999)
  const std::vector<float> second{-0.5f, 0, 0};
  on(device, [&](auto& at) {
    run({.lr = 0.1f, .gradient_scale = 2, .number = 2}, device, at,
        {{at(w), at(second), at(m), at(v), nullptr, 1, 0.2f}});
  });
  CHECK(w[0] == Approx(0.98 * 0.88 + 0.1 * 0.01 / 0.19).epsilon(1e-5));
  CHECK(w[2] == Approx(0.98));
}

TEST_CASE("adamw: a hundred steps stay with double precision") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  constexpr std::size_t n = 300;
  constexpr double kDecay = 0.05;
  std::vector<float> w = random_array(n, 1), m(n), v(n);
  std::vector<double> exact(w.begin(), w.end()), exact_m(n), exact_v(n);
  for (int t = 1; t <= 100; ++t) {
    const float lr = 0.01f / static_cast<float>(1 + t / 40);
    std::vector<float> gradient = random_array(n, static_cast<unsigned>(100 + t));
    for (std::size_t i = 0; i < n; ++i) gradient[i] *= std::pow(10.0f, static_cast<float>(i % 7) - 3);
    on(device, [&](auto& at) {
      run({.lr = lr, .gradient_scale = 0.5f, .number = t}, device, at,
          {{at(w), at(gradient), at(m), at(v), nullptr, n, static_cast<float>(kDecay)}});
    });
    for (std::size_t i = 0; i < n; ++i) {
      const double g = 0.5 * double{gradient[i]};
      exact[i] *= 1 - double{lr} * kDecay;
      exact_m[i] = 0.9 * exact_m[i] + 0.1 * g;
      exact_v[i] = 0.999 * exact_v[i] + 0.001 * g * g;
      exact[i] -= double{lr} * (exact_m[i] / (1 - std::pow(0.9, t))) /
                  (std::sqrt(exact_v[i] / (1 - std::pow(0.999, t))) + 1e-8);
    }
  }
  double worst = 0;
  for (std::size_t i = 0; i < n; ++i) worst = std::max(worst, std::abs(double{w[i]} - exact[i]));
  CHECK(worst < 2e-6);  // of weights around 1, rounded a hundred times
  CHECK(std::abs(exact[0] - double{random_array(n, 1)[0]}) > 1e-3);
}

TEST_CASE("adamw: a skipped step changes nothing, a null skip flag never skips") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  std::vector<float> w{1, 2}, m{3, 4}, v{5, 6};
  const std::vector<float> gradient{kNan, 1};
  std::vector<bf16> copy(2, bf16(7.0f));
  const auto run_with = [&](const Step& step) {
    on(device, [&](auto& at) { run(step, device, at, {{at(w), at(gradient), at(m), at(v), at(copy), 2, 0.5f}}); });
  };
  run_with({.skip = 1});
  CHECK(w == std::vector<float>{1, 2});
  CHECK(m == std::vector<float>{3, 4});
  CHECK(v == std::vector<float>{5, 6});
  CHECK(float(copy[0]) == 7.0f);
  run_with({.skip = -1});
  CHECK(std::isnan(w[0]));
  CHECK(w[1] < 2);
  CHECK(copy[1].bits == bf16(w[1]).bits);
}

TEST_CASE("adamw: many segments of any size, with rounded copies, the same bits each time") {
  const Device device = GENERATE(from_range(devices()));
  INFO(device_name(device));
  const std::vector<std::int64_t> counts{0, 1, 31, 0, 255, 4095, 4096, 0, 4097, 50003, 257, 0};
  const std::size_t n = 62835;
  const auto start = random_array(n, 1), gradient = random_array(n, 2), start_m = random_array(n, 3);
  std::vector<float> start_v = random_array(n, 4);
  for (float& value : start_v) value *= value;
  const Step step{.gradient_scale = 0.5f, .number = 7};
  struct Arrays {
    std::vector<float> w, m, v;
    std::vector<bf16> copy = garbage<bf16>(n);
  };
  const auto segments_of = [&](DeviceArrays& arrays, Arrays& a) {
    std::vector<AdamwSegment> segments;
    std::size_t at = 0;
    for (std::size_t s = 0; s < counts.size(); at += static_cast<std::size_t>(counts[s++])) {
      segments.push_back({arrays(a.w) + at, arrays(gradient) + at, arrays(a.m) + at, arrays(a.v) + at,
                          s % 2 ? arrays(a.copy) + at : nullptr, counts[s], 0.01f * static_cast<float>(s)});
    }
    REQUIRE(at == n);
    return segments;
  };
  Arrays expected{start, start_m, start_v};
  on(Device::cpu, [&](auto& at) { run(step, at, segments_of(at, expected), plain::adamw_step); });

  require_same_bits_each_time(device, [&] {
    Arrays found{start, start_m, start_v};
    on(device, [&](auto& at) { run(step, device, at, segments_of(at, found)); });
    require_close(found.w, doubles(expected.w), Tolerance::elementwise);
    require_close(found.m, doubles(expected.m), Tolerance::elementwise);
    require_close(found.v, doubles(expected.v), Tolerance::elementwise);
    std::size_t at = 0, wrong_copies = 0;
    for (std::size_t s = 0; s < counts.size(); ++s) {
      for (std::int64_t i = 0; i < counts[s]; ++i, ++at) {
        const bool written = !std::isnan(float(found.copy[at]));
        wrong_copies += s % 2 ? found.copy[at].bits != bf16(found.w[at]).bits : written;
      }
    }
    CHECK(wrong_copies == 0);
    return found.w;
  });
}

}  // namespace
}  // namespace diopter
