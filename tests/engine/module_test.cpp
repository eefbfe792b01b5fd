#include "engine/module.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;

struct Block : Module {
  explicit Block(InitRandom& random, NormKind norm_kind = NormKind::batch)
      : conv(4, 4, Conv2d::Options{.bias = false}, random), norm(norm_kind, 4, 2) {
    add_module("conv", conv);
    add_module("norm", norm);
  }
  Conv2d conv;
  Norm norm;
};

struct Net : Module {
  explicit Net(InitRandom& random) : first(random), second(random), last(4, 2, {}, random) {
    add_module("body.0", first);
    add_module("body.1", second);
    add_module("last", last);
    scale = add_parameter("scale", Tensor::full({1}, 1));
    counter = add_buffer("counter", Tensor::zeros({1}, DType::i32));
  }
  Block first, second;
  Conv2d last;
  Variable scale;
  Tensor counter;
};

template <class Named>
std::vector<std::string> names_of(const std::vector<Named>& named) {
  std::vector<std::string> names;
  for (const Named& n : named) names.push_back(n.name);
  return names;
}

TEST_CASE("Module: names of parameters and buffers are joined") {
  InitRandom random(1);
  Net net(random);
  CHECK(names_of(net.parameters()) == std::vector<std::string>{"scale", "body.0.conv.weight", "body.0.norm.weight",
                                                               "body.0.norm.bias", "body.1.conv.weight",
                                                               "body.1.norm.weight", "body.1.norm.bias", "last.weight",
                                                               "last.bias"});
  CHECK(names_of(net.buffers()) == std::vector<std::string>{"counter", "body.0.norm.running_mean",
                                                            "body.0.norm.running_var", "body.1.norm.running_mean",
                                                            "body.1.norm.running_var"});
  CHECK(net.parameters()[1].variable.name() == "weight");
  net.name_parameters();
  for (const NamedParameter& p : net.parameters()) CHECK(p.variable.name() == p.name);
  CHECK(net.scale.name() == "scale");
}

TEST_CASE("Module: parameters are shared with the module, not copied") {
  InitRandom random(1);
  Net net(random);
  CHECK(net.parameters()[0].variable.value().raw() == net.scale.value().raw());
  CHECK(net.parameters()[0].variable.gradient() == net.scale.gradient());
  CHECK(net.buffers()[0].tensor.raw() == net.counter.raw());
}

TEST_CASE("Module: training and evaluation reach every child") {
  InitRandom random(1);
  Net net(random);
  CHECK(net.second.norm.training());
  CHECK_FALSE(net.second.norm.fixed());
  net.set_training(false);
  CHECK_FALSE(net.training());
  CHECK_FALSE(net.second.norm.training());
  CHECK(net.second.norm.fixed());
  net.set_training(true);
  CHECK_FALSE(net.second.norm.fixed());
}

TEST_CASE("Module: frozen parameters require no gradient, frozen norms stay fixed") {
  InitRandom random(1);
  Net net(random);
  net.first.freeze();
  for (const NamedParameter& p : net.parameters()) {
    CHECK(p.variable.requires_gradient() == !contains(p.name, "body.0."));
  }
  CHECK(net.first.norm.frozen());
  CHECK(net.first.norm.fixed());
  CHECK_FALSE(net.second.norm.fixed());
  CHECK_FALSE(net.frozen());

  const Norm frozen(NormKind::frozen_batch, 4);
  CHECK(frozen.fixed());
  for (const NamedParameter& p : frozen.parameters()) CHECK_FALSE(p.variable.requires_gradient());
}

TEST_CASE("Norm: what each kind holds and does") {
  const Variable x(random_tensor({2, 3, 4, 4}, 1, Device::cpu));
  Norm none(NormKind::none, 4), batch(NormKind::batch, 4), group(NormKind::group, 4, 2),
      zero(NormKind::group, 4, 2, true);
  CHECK(none.parameters().empty());
  CHECK(none(x).value().raw() == x.value().raw());
  CHECK_FALSE(none.fixed());
  CHECK(group.buffers().empty());
  group.set_training(false);
  CHECK_FALSE(group.fixed());
  CHECK(zero(x).value().to_vector<float>() == std::vector<float>(2 * 3 * 4 * 4, 0));

  // Of fixed batch norms: mean 0 and variance 1, with eps.
  batch.set_training(false);
  std::vector<float> expected = x.value().to_vector<float>();
  for (float& v : expected) v /= std::sqrt(1 + 1e-5f);
  require_close(batch(x).value().to_vector<float>(), expected, Tolerance::elementwise);
  const Norm without_eps(NormKind::frozen_batch, 4, 1, false, 0.0f);
  CHECK(without_eps(x).value().to_vector<float>() == x.value().to_vector<float>());

  batch.set_training(true);
  const std::vector<float> before = batch.buffers()[0].tensor.to_vector<float>();
  batch(x);
  CHECK(batch.buffers()[0].tensor.to_vector<float>() != before);

  const Pyramid pyramid = concat_levels({x});
  CHECK(batch(pyramid).rows.value().to_vector<float>() == batch(x).value().to_vector<float>());
  CHECK(group(pyramid).rows.value().to_vector<float>() == group(x).value().to_vector<float>());
  CHECK(none(pyramid).rows.value().raw() == pyramid.rows.value().raw());
}

/// Gives the parameters and running statistics of a norm values that are not those of the start.
void randomise(const Norm& norm) {
  std::uint64_t seed = 50;
  for (const NamedParameter& p : norm.parameters())
    p.variable.value().copy_from(random_tensor({4}, seed++, Device::cpu));
  norm.buffers()[0].tensor.copy_from(random_tensor({4}, seed++, Device::cpu));
  norm.buffers()[1].tensor.copy_from(random_tensor({4}, seed++, Device::cpu, 0.5f, 2));
}

TEST_CASE("Norm: a frozen one keeps its map until it is folded again, an evaluated one follows its values") {
  InitRandom random(1);
  Net net(random);
  net.first.freeze();
  net.set_training(false);
  randomise(net.first.norm);
  randomise(net.second.norm);
  const std::vector<float> scale = net.first.norm.affine().scale.to_vector<float>();
  net.fold_frozen_norms();
  const Norm::Affine kept = net.first.norm.affine();
  CHECK(kept.scale.to_vector<float>() == scale);
  CHECK(net.first.norm.affine().scale.raw() == kept.scale.raw());
  CHECK(net.first.norm.affine().shift.raw() == kept.shift.raw());

  for (const Block* block : {&net.first, &net.second}) block->norm.parameters()[0].variable.value().zero();
  CHECK(net.second.norm.affine().scale.to_vector<float>() == std::vector<float>(4, 0));
  net.fold_frozen_norms();
  CHECK(net.first.norm.affine().scale.to_vector<float>() == std::vector<float>(4, 0));
}

TEST_CASE("conv_norm: fused with a fixed norm it equals convolution, norm, sum and relu in turn") {
  for (bool frozen : {true, false}) {
    InitRandom random(3);
    Block block(random);
    randomise(block.norm);
    if (frozen) {
      block.norm.freeze();
    } else {
      block.set_training(false);
    }
    for (bool relu_after : {false, true}) {
      for (bool with_residual : {false, true}) {
        INFO("frozen " << frozen << ", relu " << relu_after << ", residual " << with_residual);
        const auto run = [&](bool fused) {
          const Variable x(random_tensor({2, 5, 6, 4}, 7, Device::cpu), true);
          const Variable residual(with_residual ? random_tensor({2, 5, 6, 4}, 8, Device::cpu) : Tensor(),
                                  with_residual);
          const Variable weight = block.conv.parameters()[0].variable;
          weight.gradient()->clear();
          Tape tape;
          Variable y;
          if (fused) {
            y = conv_norm(block.conv, block.norm, x, relu_after, with_residual ? residual : Variable());
            CHECK(tape.size() == 1);
          } else {
            y = block.norm(block.conv(x));
            if (with_residual) y = add(y, residual);
            if (relu_after) y = relu(y);
          }
          tape.backward(y, random_tensor(y.shape(), 9, Device::cpu));
          std::vector<std::vector<float>> results{y.value().to_vector<float>()};
          for (const Variable& v : {x, weight, residual}) {
            if (v.requires_gradient()) results.push_back(v.gradient()->tensor().to_vector<float>());
          }
          return results;
        };
        const auto fused = run(true), in_turn = run(false);
        REQUIRE(fused.size() == (with_residual ? 4 : 3));
        for (std::size_t i = 0; i < fused.size(); ++i) require_close(fused[i], in_turn[i], Tolerance::sum);
      }
    }
  }
}

TEST_CASE("conv_norm: norms that are not fixed are computed in turn") {
  const Variable x(random_tensor({2, 5, 6, 4}, 7, Device::cpu)), residual(random_tensor({2, 5, 6, 4}, 8, Device::cpu));
  for (NormKind kind : {NormKind::batch, NormKind::group, NormKind::none}) {
    InitRandom random(3);
    Block block(random, kind);
    const Variable expected = relu(add(block.norm(block.conv(x)), residual));
    CHECK(conv_norm(block.conv, block.norm, x, true, residual).value().to_vector<float>() ==
          expected.value().to_vector<float>());
  }
  InitRandom random(3);
  const Conv2d with_bias(4, 4, {}, random);
  const Norm frozen(NormKind::frozen_batch, 4);
  CHECK(error_of([&] { conv_norm(with_bias, frozen, x, true); }) ==
        "a convolution with a bias cannot take a norm's shift as well");
}

TEST_CASE("Norm: with relu it is norm and relu in turn, a group norm's in one operation") {
  const Variable x(random_tensor({2, 5, 6, 4}, 7, Device::cpu));
  const Pyramid pyramid = concat_levels({x, x});
  for (NormKind kind : {NormKind::batch, NormKind::frozen_batch, NormKind::group, NormKind::none}) {
    const Norm norm(kind, 4, 2);
    CHECK(norm.relu(x).value().to_vector<float>() == relu(norm(x)).value().to_vector<float>());
    CHECK(norm.relu(pyramid).rows.value().to_vector<float>() == relu(norm(pyramid)).rows.value().to_vector<float>());
  }
  InitRandom random(3);
  const Block block(random, NormKind::group);
  Tape tape;
  const Variable y = conv_norm(block.conv, block.norm, x, true);
  CHECK(tape.size() == 2);
  CHECK(y.value().to_vector<float>() == relu(block.norm(block.conv(x))).value().to_vector<float>());
}

TEST_CASE("Conv2d: options") {
  InitRandom random(3);
  const Conv2d conv(3, 5, {.kernel = 3, .stride = 2, .bias_values = {-4.5f}}, random);
  const Variable x(random_tensor({2, 7, 6, 3}, 1, Device::cpu));
  CHECK(conv(x).shape() == Shape{2, 4, 3, 5});
  CHECK(conv.parameters()[0].variable.shape() == Shape{5, 3, 3, 3});
  CHECK(conv.parameters()[1].variable.value().to_vector<float>() == std::vector<float>(5, -4.5f));
  CHECK(conv.relu(x).value().to_vector<float>() == relu(conv(x)).value().to_vector<float>());
  const Pyramid pyramid = concat_levels({x, x});
  CHECK(conv.relu(pyramid).rows.value().to_vector<float>() == relu(conv(pyramid)).rows.value().to_vector<float>());

  const Conv2d valid(3, 2, {.padding = 0, .bias = false}, random);
  CHECK(valid(x).shape() == Shape{2, 5, 4, 2});
  CHECK(valid.parameters().size() == 1);
}

struct Moments {
  double mean = 0, deviation = 0, largest = 0;
};

Moments moments_of(const Tensor& x) {
  Moments m;
  const std::vector<float> values = x.to_vector<float>();
  const double n = static_cast<double>(values.size());
  for (double v : values) m.mean += v / n;
  for (double v : values) m.deviation += (v - m.mean) * (v - m.mean) / n;
  for (double v : values) m.largest = std::max(m.largest, std::fabs(v));
  m.deviation = std::sqrt(m.deviation);
  return m;
}

TEST_CASE("Init: bounds and deviations") {
  const Shape shape{64, 3, 3, 32};  // fan_in 288, fan_out 576
  InitRandom random(5);
  const Moments normal = moments_of(random.draw(shape, Init::normal(0.01f)));
  CHECK(normal.deviation == Approx(0.01).epsilon(0.03));
  CHECK(std::fabs(normal.mean) < 4 * 0.01 / std::sqrt(18432.0));
  CHECK(normal.largest > 0.03);

  const Moments fan_out = moments_of(random.draw(shape, Init::kaiming_normal_fan_out()));
  CHECK(fan_out.deviation == Approx(std::sqrt(2.0 / 576)).epsilon(0.03));

  for (float a : {0.0f, 1.0f, 2.0f}) {
    const double bound = std::sqrt(6 / ((1 + a * a) * 288.0));
    const Moments uniform = moments_of(random.draw(shape, Init::kaiming_uniform(a)));
    CHECK(uniform.largest <= bound * (1 + 1e-6));
    CHECK(uniform.largest > 0.99 * bound);
    CHECK(uniform.deviation == Approx(bound / std::sqrt(3.0)).epsilon(0.03));
    CHECK(std::fabs(uniform.mean) < 4 * bound / std::sqrt(3 * 18432.0));
  }
}

TEST_CASE("Init: the same seed gives the same bits, another parameter or seed others") {
  const auto two = [](std::uint64_t seed) {
    InitRandom random(seed);
    const Tensor first = random.draw({4, 3, 3, 2}, {}), second = random.draw({4, 3, 3, 2}, {});
    return std::make_pair(first.to_vector<float>(), second.to_vector<float>());
  };
  CHECK(two(1) == two(1));
  CHECK(two(1).first != two(2).first);
  CHECK(two(1).first != two(1).second);
}

}  // namespace
}  // namespace diopter
