// Literals are those of torch.optim.SGD and AdamW, worked out by hand from their formulas.
#include "engine/optimizer.h"

#include <cmath>

#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;

NamedParameter parameter(const std::string& name, const Shape& shape, const std::vector<float>& values, Device device) {
  return {name, Variable(Tensor::from(shape, values, device), true, name)};
}

std::vector<float> values_of(const NamedParameter& p) { return p.variable.value().to_vector<float>(); }

void set_gradient(const NamedParameter& p, const std::vector<float>& values) {
  p.variable.gradient()->accumulate(Tensor::from(p.variable.shape(), values, p.variable.value().device()));
}

/// The weight after each step with the given gradients, from 1.
std::vector<float> path(Sgd::Options options, float lr, float weight_decay, const std::vector<float>& gradients,
                        Device device) {
  const NamedParameter w = parameter("w", {1}, {1}, device);
  Sgd sgd({{{w}, weight_decay}}, options);
  std::vector<float> weights;
  for (float g : gradients) {
    sgd.zero_gradients();
    set_gradient(w, {g});
    sgd.step(lr);
    weights.push_back(values_of(w)[0]);
  }
  return weights;
}

TEST_CASE("Sgd: one parameter, as in PyTorch") {
  const std::vector<float> gradients{0.5f, -0.2f, 0.3f};
  for (Device device : devices()) {
    require_close(path({0, false}, 0.1f, 0, gradients, device), std::vector<double>{0.95, 0.97, 0.94},
                  Tolerance::elementwise);
    require_close(path({0.9f, false}, 0.1f, 0.1f, gradients, device), std::vector<double>{0.94, 0.8966, 0.818574},
                  Tolerance::elementwise);
    require_close(path({0.9f, true}, 0.1f, 0.1f, gradients, device), std::vector<double>{0.886, 0.858566, 0.750536646},
                  Tolerance::elementwise);
  }
}

TEST_CASE("Sgd: groups have their own decay and learning rate") {
  for (Device device : devices()) {
    const NamedParameter weight = parameter("conv.weight", {2, 1, 1, 1}, {1, -2}, device);
    const NamedParameter bias = parameter("conv.bias", {2}, {4, 4}, device);
    NamedParameter frozen = parameter("frozen", {2, 1, 1, 1}, {1, 1}, device);
    frozen.variable.set_requires_gradient(false);
    const NamedParameter gamma = parameter("bn.weight", {2}, {1, 1}, device),
                         beta = parameter("bn.bias", {2}, {0, 0}, device);
    std::vector<ParameterGroup> groups =
        group_by_decay({weight, bias, frozen, gamma, beta}, {.weights = 0.5f, .norms = 0.25f, .biases = 0});
    const auto is_group = [&](int i, const std::vector<std::string>& names, float decay) {
      std::vector<std::string> found;
      for (const NamedParameter& p : groups[i].parameters) found.push_back(p.name);
      return found == names && groups[i].weight_decay == decay;
    };
    REQUIRE(groups.size() == 3);
    CHECK(is_group(0, {"conv.weight"}, 0.5f));
    CHECK(is_group(1, {"bn.weight", "bn.bias"}, 0.25f));
    CHECK(is_group(2, {"conv.bias"}, 0));

    groups.erase(groups.begin() + 1);
    Sgd sgd(groups, {.momentum = 0});
    CHECK(sgd.parameter_count() == 4);
    set_gradient(weight, {1, 1});
    set_gradient(bias, {1, -1});
    sgd.step(0.1f);
    require_close(values_of(weight), std::vector<double>{1 - 0.1 * 1.5, -2 - 0.1 * 0}, Tolerance::elementwise);
    require_close(values_of(bias), std::vector<double>{4 - 0.1, 4 + 0.1}, Tolerance::elementwise);
    CHECK(values_of(frozen) == std::vector<float>{1, 1});
    CHECK(error_of([&] { Sgd({{{frozen}, 0}}, {}); }) == "parameter frozen requires no gradient");
  }
}

TEST_CASE("Sgd: gradient norm, clipping and accumulation") {
  for (Device device : devices()) {
    const NamedParameter a = parameter("a", {1}, {0}, device), b = parameter("b", {2}, {0, 0}, device);
    Sgd sgd({{{a}, 0}, {{b}, 0}}, {.momentum = 0, .clip_norm = 3});
    set_gradient(a, {2});
    set_gradient(b, {4, 4});
    sgd.step(1);
    CHECK(sgd.gradient_norm().item() == 6);
    CHECK(values_of(a) == std::vector<float>{-1});
    CHECK(values_of(b) == std::vector<float>{-2, -2});

    // Two passes gather in the same buffer; the step takes their mean, which is short enough.
    sgd.zero_gradients();
    set_gradient(a, {1});
    set_gradient(a, {5});
    sgd.step(1, 0.5f);
    CHECK(sgd.gradient_norm().item() == 3);
    CHECK(values_of(a) == std::vector<float>{-4});
    CHECK(values_of(b) == std::vector<float>{-2, -2});
    sgd.zero_gradients();
    sgd.step(1);
    CHECK(sgd.gradient_norm().item() == 0);
  }
}

TEST_CASE("Sgd: a step that is not finite changes nothing, nor does any after it") {
  for (Device device : devices()) {
    for (bool of_loss : {false, true}) {
      const NamedParameter w = parameter("w", {1}, {1}, device);
      Sgd sgd({{{w}, 0.5f}}, {});
      const auto step = [&](float gradient, float loss) {
        sgd.zero_gradients();
        set_gradient(w, {gradient});
        sgd.step(0.5f, 1, Tensor::from({2}, std::vector<float>{0, loss}, device));
        return values_of(w)[0];
      };
      CHECK(step(1, 2) == 0.25f);
      CHECK((of_loss ? step(1, INFINITY) : step(NAN, 2)) == 0.25f);
      CHECK(step(1, 2) == 0.25f);
      CHECK(sgd.state()[0].tensor.item() == 1.5f);
    }
  }
}

TEST_CASE("Sgd: backward writes into the flat buffer") {
  for (Device device : devices()) {
    const NamedParameter a = parameter("a", {2}, {1, 2}, device), b = parameter("b", {2}, {3, 4}, device);
    Sgd sgd({{{a, b}, 0}}, {});
    const float* place = a.variable.gradient()->tensor().data<float>();
    CHECK(b.variable.gradient()->tensor().data<float>() == place + 4);  // each begins at 16 bytes
    for (int pass = 0; pass < 2; ++pass) {
      sgd.zero_gradients();
      Tape tape;
      tape.backward({sum(add(a.variable, add(a.variable, b.variable)))});
      CHECK(a.variable.gradient()->tensor().data<float>() == place);
      CHECK(a.variable.gradient()->tensor().to_vector<float>() == std::vector<float>{2, 2});
      CHECK(b.variable.gradient()->tensor().to_vector<float>() == std::vector<float>{1, 1});
    }
  }
}

TEST_CASE("Sgd: its state has the parameters' names and shapes, and is what the step uses") {
  for (Device device : devices()) {
    const NamedParameter w = parameter("head.weight", {2, 1, 1, 1}, {1, 1}, device);
    Sgd sgd({{{w}, 0}}, {.momentum = 0.5f});
    set_gradient(w, {2, 4});
    sgd.step(1);
    REQUIRE(sgd.state().size() == 1);
    CHECK(sgd.state()[0].name == "velocity.head.weight");
    CHECK(sgd.state()[0].tensor.shape() == w.variable.shape());
    CHECK(sgd.state()[0].tensor.to_vector<float>() == std::vector<float>{2, 4});
    sgd.state()[0].tensor.copy_from(Tensor::from({2, 1, 1, 1}, std::vector<float>{100, 200}, device));
    sgd.zero_gradients();
    sgd.step(1);
    CHECK(values_of(w) == std::vector<float>{1 - 2 - 50, 1 - 4 - 100});
  }
}

TEST_CASE("AdamW: groups have their own decay, the first step moves every weight by the learning rate") {
  for (Device device : devices()) {
    const NamedParameter a = parameter("a.weight", {2, 1, 1, 1}, {1, -2}, device);
    const NamedParameter b = parameter("b", {1}, {4}, device);
    AdamW adamw({{{a}, 0.5f}, {{b}, 0}}, {});
    adamw.zero_gradients();
    set_gradient(a, {1000, -0.5f});
    set_gradient(b, {3});
    adamw.step(0.1f);
    require_close(values_of(a), std::vector<double>{0.95 - 0.1, -1.9 + 0.1}, Tolerance::elementwise);
    require_close(values_of(b), std::vector<double>{3.9}, Tolerance::elementwise);
    for (int t = 2; t <= 4; ++t) adamw.step(0.1f);  // and so does the same gradient in every step
    require_close(values_of(b), std::vector<double>{3.6}, Tolerance::elementwise);
  }
}

TEST_CASE("AdamW: goes on from its state and the number of the step, bit for bit") {
  const auto gradient_of = [](int t) { return std::vector<float>{0.5f / static_cast<float>(t), -1, 0.01f}; };
  for (Device device : devices()) {
    const NamedParameter w = parameter("w", {3}, {1, 2, 3}, device);
    AdamW adamw({{{w}, 0.1f}}, {});
    const auto step = [&](AdamW& optimizer, const NamedParameter& p, int t) {
      optimizer.zero_gradients();
      set_gradient(p, gradient_of(t));
      optimizer.set_lr(0.01f, t);
      optimizer.update();
    };
    for (int t = 1; t <= 3; ++t) step(adamw, w, t);
    const NamedParameter resumed = parameter("w", {3}, values_of(w), device);
    AdamW later({{{resumed}, 0.1f}}, {});
    REQUIRE(later.state().size() == 2);
    for (std::size_t i = 0; i < 2; ++i) {
      CHECK(later.state()[i].name == (i == 0 ? "mean.w" : "square.w"));
      later.state()[i].tensor.copy_from(adamw.state()[i].tensor);
    }
    for (int t = 4; t <= 6; ++t) {
      step(adamw, w, t);
      step(later, resumed, t);
      CHECK(values_of(resumed) == values_of(w));
    }
    step(later, resumed, 1);  // another number is another step
    step(adamw, w, 7);
    CHECK(values_of(resumed) != values_of(w));
  }
}

TEST_CASE("optimizers: owners of slices together make the steps of one, and keep what they own") {
  const std::int64_t size = 30 * FlatSlices::kRun + 100;  // slices of several buckets for each
  std::vector<float> start(size), gradient(size);
  for (std::int64_t i = 0; i < size; ++i) {
    start[i] = 0.001f * static_cast<float>(i % 97) - 0.04f;
    gradient[i] = 0.002f * static_cast<float>(i % 31) - 0.03f;
  }
  const auto make = [](const std::string& kind, const NamedParameter& a, const NamedParameter& b,
                       const FlatOwner& owner) -> std::unique_ptr<Optimizer> {
    const std::vector<ParameterGroup> groups{{{a}, 0.1f}, {{b}, 0}};
    if (kind == "sgd") return std::make_unique<Sgd>(groups, Sgd::Options{.clip_norm = 0.5f}, owner);
    return std::make_unique<AdamW>(groups, AdamW::Options{.clip_norm = 0.5f}, owner);
  };
  for (Device device : devices()) {
    for (const std::string kind : {"sgd", "adamw"}) {
      INFO(kind);
      struct Owner {
        NamedParameter a, b;
        std::unique_ptr<Optimizer> optimizer;
      };
      const auto owner_of = [&](int rank, int ranks) {
        Owner owner{parameter("a", {size}, start, device), parameter("b", {3}, {1, 2, 3}, device), {}};
        owner.a.variable.write_bf16_copy();
        owner.optimizer = make(kind, owner.a, owner.b, {rank, ranks});
        return owner;
      };
      const Owner whole = owner_of(0, 1);
      std::vector<Owner> owners;
      for (int r = 0; r < 3; ++r) owners.push_back(owner_of(r, 3));
      const auto load = [&](const Owner& owner) {
        owner.optimizer->zero_gradients();
        set_gradient(owner.a, gradient);
        set_gradient(owner.b, {0.1f, 0.2f, 0.3f});
      };
      for (int t = 1; t <= 2; ++t) {
        load(whole);
        whole.optimizer->set_lr(0.1f, t);
        whole.optimizer->update(0.5f);
        const float norm = whole.optimizer->gradient_norm().item() / 0.5f;
        const Tensor flat = Tensor::zeros({whole.optimizer->gradients().size()});
        for (const Owner& owner : owners) {
          load(owner);
          owner.optimizer->set_lr(0.1f, t);
          owner.optimizer->update_owned(norm * norm, 0.5f);
          owner.optimizer->put_owned_weights(flat);
        }
        for (const Owner& owner : owners) {
          owner.optimizer->take_weights(flat);
          require_close(values_of(owner.a), values_of(whole.a), Tolerance::elementwise);
          CHECK(values_of(owner.b) == values_of(whole.b));
          CHECK((owner.a.variable.bf16_copy().cast(DType::f32).to_vector<float>() ==
                 owner.a.variable.value().cast(DType::bf16).cast(DType::f32).to_vector<float>()));
        }
      }
      // What each keeps is its own part and no more, and goes to a single owner and back.
      const std::vector<Tensor> expected = whole.optimizer->whole_state();
      std::vector<std::vector<float>> sum(expected.size(), std::vector<float>(expected[0].size()));
      for (const Owner& owner : owners) {
        const std::vector<Tensor> state = owner.optimizer->whole_state();
        REQUIRE(state.size() == expected.size());
        for (std::size_t i = 0; i < state.size(); ++i) {
          const std::vector<float> values = state[i].to_vector<float>();
          for (std::size_t j = 0; j < values.size(); ++j) sum[i][j] += values[j];
        }
      }
      for (std::size_t i = 0; i < sum.size(); ++i) {
        require_close(sum[i], expected[i].to_vector<float>(), Tolerance::elementwise);
      }
      const Owner late = owner_of(1, 3);
      late.optimizer->take_state(owners[1].optimizer->whole_state());
      for (std::size_t i = 0; i < sum.size(); ++i) {
        CHECK((late.optimizer->whole_state()[i].to_vector<float>() ==
               owners[1].optimizer->whole_state()[i].to_vector<float>()));
      }
    }
  }
}

TEST_CASE("AdamW: clips, and a step that is not finite changes nothing, nor does any after it") {
  for (Device device : devices()) {
    const NamedParameter w = parameter("w", {2}, {1, 1}, device);
    AdamW adamw({{{w}, 0}}, {.clip_norm = 5});
    const auto step = [&](const std::vector<float>& gradient) {
      adamw.zero_gradients();
      set_gradient(w, gradient);
      adamw.step(0.5f);
      return values_of(w);
    };
    step({30, 40});
    CHECK(adamw.gradient_norm().item() == 50);
    CHECK(adamw.state()[0].tensor.to_vector<float>()[0] == Approx(0.1 * 3));
    const std::vector<float> before = values_of(w);
    CHECK(step({NAN, 1}) == before);
    CHECK(step({1, 1}) == before);
  }
}

TEST_CASE("Sgd: many parameters of odd sizes") {
  // More values than one piece of work has, and segments across the borders of pieces.
  std::vector<NamedParameter> parameters;
  for (int i = 0; i < 40; ++i) {
    const std::int64_t n = 1 + 571 * i;
    parameters.push_back(
        parameter(std::to_string(i), {n}, std::vector<float>(static_cast<std::size_t>(n), 1), Device::cpu));
  }
  Sgd sgd({{parameters, 0}}, {.momentum = 0});
  double squared = 0;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::size_t n = static_cast<std::size_t>(parameters[i].variable.value().size());
    set_gradient(parameters[i], std::vector<float>(n, static_cast<float>(i)));
    squared += static_cast<double>(n * i * i);
  }
  sgd.step(0.5f);
  CHECK(sgd.gradient_norm().item() == Approx(std::sqrt(squared)));
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const std::vector<float> w = values_of(parameters[i]);
    CHECK(w == std::vector<float>(w.size(), 1 - 0.5f * static_cast<float>(i)));
  }
}

struct OneWeight : Module {
  OneWeight() : weight(add_parameter("weight", Tensor::full({2}, 1))) {}
  Variable weight;
};

TEST_CASE("WeightAverage: updates and swaps") {
  const OneWeight model;
  WeightAverage average(model, 0.15f);
  REQUIRE(average.averages().size() == 1);
  CHECK(average.averages()[0].name == "weight");
  const auto averaged = [&] { return average.averages()[0].tensor.to_vector<float>()[0]; };
  const auto weight = [&] { return model.weight.value().to_vector<float>()[0]; };
  CHECK(averaged() == 1);

  const auto set_weight = [&](float value) { model.weight.value().copy_from(Tensor::full({2}, value)); };
  set_weight(2);
  average.update();  // decay 1 / 10
  CHECK(averaged() == Approx(1 + 0.9 * (2 - 1)));
  set_weight(0);
  average.update();  // decay 0.15, below 2 / 11
  CHECK(averaged() == Approx(0.15 * 1.9));
  CHECK(average.updates() == 2);

  average.swap();
  CHECK(weight() == Approx(0.15 * 1.9));
  CHECK(averaged() == 0);
  average.swap();
  CHECK(weight() == 0);
  CHECK(averaged() == Approx(0.15 * 1.9));

  // Resumed: the decay goes on where it was.
  WeightAverage resumed(model, 0.999f);
  resumed.set_updates(80);
  set_weight(9);
  resumed.update();
  CHECK(resumed.averages()[0].tensor.to_vector<float>()[0] == Approx((1 - 81.0 / 90) * 9));
  CHECK(resumed.updates() == 81);
}

}  // namespace
}  // namespace diopter
