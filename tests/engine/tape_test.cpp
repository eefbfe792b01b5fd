#include "engine/tape.h"

#include <cmath>
#include <thread>

#include "engine/ops.h"
#include "kernels/base/parallel.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;

std::vector<float> gradient_of(const Variable& x) { return x.gradient()->tensor().to_vector<float>(); }

Variable leaf(const std::vector<float>& values, Device device = Device::cpu) {
  return Variable(Tensor::from({static_cast<std::int64_t>(values.size())}, values, device), true);
}

/// x with a gradient that is multiplied by `factor` in the backward pass.
Variable scaled_backward(const Variable& x, float factor) {
  return record("scaled_backward", {x}, x.value(), [dx = x.gradient(), factor](const Tensor& dy) {
    std::vector<float> values = dy.to_vector<float>();
    for (float& v : values) v *= factor;
    dx->accumulate(Tensor::from(dy.shape(), values, dy.device()));
  });
}

TEST_CASE("Tape: y = x + x gives 2") {
  for (Device device : devices()) {
    const Variable x = leaf({1, 2, 3}, device);
    Tape tape;
    tape.backward({sum(add(x, x))});
    CHECK(gradient_of(x) == std::vector<float>{2, 2, 2});
  }
}

TEST_CASE("Tape: a residual block adds both ways") {
  const Variable x = leaf({1, -2, 3});
  Tape tape;
  tape.backward({sum(add(scaled_backward(relu(x), 5), x))});
  CHECK(gradient_of(x) == std::vector<float>{6, 1, 6});
}

TEST_CASE("Tape: a map used by several levels gathers all their gradients") {
  // As in a feature pyramid: the inner map feeds an output of its own and the next inner map.
  const Variable c3 = leaf({1, 1}), c4 = leaf({1, 1}), c5 = leaf({1, 1});
  Tape tape;
  const Variable m4 = add(c4, c5), m3 = add(c3, m4);
  const Variable p5 = scaled_backward(c5, 100), p4 = scaled_backward(m4, 10), p3 = m3;
  tape.backward({sum(p3), sum(p4), sum(p5)});
  CHECK(gradient_of(c3) == std::vector<float>{1, 1});
  CHECK(gradient_of(c4) == std::vector<float>{11, 11});
  CHECK(gradient_of(c5) == std::vector<float>{111, 111});
}

TEST_CASE("Tape: tells when a gradient in a fixed buffer is final, also where nothing was added") {
  const Variable first = leaf({1, 2}), shared = leaf({3, 4}), last = leaf({5, 6}), unfixed = leaf({7, 8});
  for (const Variable& x : {first, shared, last}) x.gradient()->set_buffer(Tensor::zeros({2}));
  std::vector<std::vector<const Gradient*>> told;
  Tape tape([&](const std::vector<std::shared_ptr<Gradient>>& final) {
    std::vector<const Gradient*> of_operation;
    for (const std::shared_ptr<Gradient>& gradient : final) of_operation.push_back(gradient.get());
    told.push_back(of_operation);
  });
  const Variable a = add(first, shared), b = add(a, shared), c = add(b, last);
  const Variable unused = add(last, unfixed);
  tape.backward({sum(c)});
  using Told = std::vector<const Gradient*>;
  // From the end: sum, the unused sum, c, b, a.
  CHECK(told ==
        std::vector<Told>{{}, {}, {last.gradient().get()}, {}, {first.gradient().get(), shared.gradient().get()}});
  CHECK(gradient_of(shared) == std::vector<float>{2, 2});
}

TEST_CASE("Tape: nothing is recorded without a tape or without a gradient to compute") {
  const Variable x = leaf({1, 2}), constant(Tensor::full({2}, 1));
  CHECK_FALSE(add(x, x).requires_gradient());
  CHECK_FALSE(is_recorded({x}));
  Tape tape;
  CHECK_FALSE(add(constant, constant).requires_gradient());
  CHECK_FALSE(is_recorded({constant, Variable()}));
  CHECK(tape.size() == 0);
  CHECK(is_recorded({Variable(), x}));
  const Variable y = add(relu(x), constant);
  CHECK(y.requires_gradient());
  CHECK(tape.size() == 2);
  tape.backward({sum(y)});
  CHECK(tape.size() == 0);
  CHECK_FALSE(constant.gradient());
}

TEST_CASE("Tape: the branch of a constant computes no gradient") {
  const Variable x = leaf({1, 2});
  int calls = 0;
  const auto counted = [&](const Variable& v) {
    return record("counted", {v}, v.value(), [&calls, dx = v.gradient()](const Tensor& dy) {
      ++calls;
      dx->accumulate(dy);
    });
  };
  Tape tape;
  const Variable used = counted(x), unused = counted(x), constant = counted(Variable(x.value()));
  CHECK(tape.size() == 2);
  tape.backward({sum(add(used, constant))});
  CHECK(calls == 1);  // `unused` leads to no loss
  CHECK(gradient_of(x) == std::vector<float>{1, 1});
}

TEST_CASE("Tape: gradients of frozen weights are not computed") {
  const Variable x(random_tensor({1, 4, 4, 2}, 1, Device::cpu)), bias(Tensor::full({3}, 0.5f), true);
  Variable w(random_tensor({3, 3, 3, 2}, 2, Device::cpu), true);
  w.set_requires_gradient(false);
  Tape tape;
  tape.backward({sum(conv2d(x, w, {.padding = 1, .bias = bias}))});
  CHECK_FALSE(w.gradient());
  CHECK_FALSE(x.gradient());
  CHECK(gradient_of(bias) == std::vector<float>(3, 16));
}

TEST_CASE("Tape: the innermost tape of the thread records") {
  const Variable x = leaf({1});
  CHECK(Tape::current() == nullptr);
  Tape outer;
  const Variable y = add(x, x);
  {
    Tape inner;
    CHECK(Tape::current() == &inner);
    const Variable z = add(y, y);
    CHECK(inner.size() == 1);
    inner.backward({z});
  }
  CHECK(Tape::current() == &outer);
  CHECK(outer.size() == 1);
  CHECK_FALSE(x.gradient()->tensor().defined());
  // The outer tape goes on from the gradient that the inner one left at y.
  outer.backward({});
  CHECK(gradient_of(x) == std::vector<float>{4});

  Tape* other = &outer;
  std::thread([&] { other = Tape::current(); }).join();
  CHECK(other == nullptr);
}

TEST_CASE("Tape: backward with a gradient of the output") {
  const Variable x = leaf({1, 2, 3}), z = leaf({1, 2, 3});
  {
    Tape tape;
    tape.backward(sigmoid(x), Tensor::from({3}, std::vector<float>{1, 1, 1}));
  }
  {
    Tape tape;
    tape.backward(sigmoid(z), Tensor::from({3}, std::vector<float>{2, -3, 0.5f}));
  }
  const std::vector<float> one = gradient_of(x), scaled = gradient_of(z);
  require_close(scaled, std::vector<float>{2 * one[0], -3 * one[1], 0.5f * one[2]}, Tolerance::elementwise);

  Tape tape;
  const Variable y = relu(x);
  CHECK(error_of([&] { tape.backward({y}); }) == "backward from a tensor [3] without its gradient");
  CHECK(error_of([&] { tape.backward(y, Tensor::full({2}, 1)); }) ==
        "backward from a tensor [3] f32 with a gradient [2] f32");
}

/// A loss as fused kernels make them: 3 x for x [1], with its gradient computed beforehand.
Variable tripled(const Variable& x) {
  return record_loss("tripled", {x}, Tensor::full({1}, 3 * x.value().item()), [dx = x.gradient()](const Tensor& dy) {
    dx->accumulate(Tensor::full({1}, 3 * (dy.defined() ? dy.item() : 1)));
  });
}

TEST_CASE("Tape: a fused loss is told a gradient that is not one") {
  const auto gradient = [](auto losses) {
    const Variable x = leaf({2});
    Tape tape;
    tape.backward(losses(tripled(x)));
    return gradient_of(x)[0];
  };
  using List = std::vector<Variable>;
  CHECK(gradient([](const Variable& l) { return List{l}; }) == 3);
  CHECK(gradient([](const Variable& l) { return List{add(l, l)}; }) == 6);
  CHECK(gradient([](const Variable& l) { return List{scaled_backward(l, 0.5f)}; }) == 1.5f);
  CHECK(gradient([](const Variable& l) { return List{l, l}; }) == 6);
  CHECK(gradient([](const Variable& l) { return List{l, scaled_backward(l, 10)}; }) == 33);
  CHECK(gradient([](const Variable& l) { return List{scaled_backward(l, 10), l}; }) == 33);

  const Variable x = leaf({2});
  Tape tape;
  tape.backward(tripled(x), Tensor::full({1}, -2));
  CHECK(gradient_of(x)[0] == -6);
}

TEST_CASE("Tape: a sum of losses counts a loss as often as it occurs") {
  const Variable x = leaf({2});
  {
    Tape tape;
    const Variable a = add(x, x), b = scaled_backward(a, 10);
    tape.backward({a, b, a});
    CHECK(gradient_of(x)[0] == 24);
  }
  x.gradient()->clear();
  Tape tape;
  tape.backward({x, add(x, x)});
  CHECK(gradient_of(x)[0] == 3);
}

TEST_CASE("Gradient: a shared buffer is never written to") {
  const Tensor shared = Tensor::full({2}, 1);
  const Variable a = leaf({0, 0}), b = leaf({0, 0});
  a.gradient()->accumulate(shared);
  b.gradient()->accumulate(shared);
  a.gradient()->accumulate(Tensor::full({2}, 10));
  CHECK(gradient_of(a) == std::vector<float>{11, 11});
  CHECK(gradient_of(b) == std::vector<float>{1, 1});
  CHECK(shared.to_vector<float>() == std::vector<float>{1, 1});

  // A slice shares, too.
  const Tensor whole = Tensor::full({4}, 1);
  const Variable c = leaf({0, 0});
  c.gradient()->accumulate(whole.slice(2, 4));
  c.gradient()->accumulate(shared);
  CHECK(gradient_of(c) == std::vector<float>{2, 2});
  CHECK(whole.to_vector<float>() == std::vector<float>{1, 1, 1, 1});

  // Nobody else holds the sum: it is added to in place.
  const float* place = c.gradient()->tensor().data<float>();
  c.gradient()->accumulate(shared);
  CHECK(c.gradient()->tensor().data<float>() == place);
  CHECK(error_of([&] { c.gradient()->accumulate(whole); }) == "gradient [4] added to [2]");
}

TEST_CASE("Gradient: both sides of a sum that go on separately") {
  const Variable a = leaf({1, 1}), b = leaf({1, 1});
  Tape tape;
  tape.backward({sum(add(a, b)), sum(scaled_backward(a, 7))});
  CHECK(gradient_of(a) == std::vector<float>{8, 8});
  CHECK(gradient_of(b) == std::vector<float>{1, 1});
}

TEST_CASE("Gradient: a buffer of its own is added to in place and cleared to zero") {
  const Variable x = leaf({1, 2});
  const Tensor buffer = Tensor::zeros({2});
  x.gradient()->set_buffer(buffer);
  for (int pass = 0; pass < 2; ++pass) {
    Tape tape;
    tape.backward({sum(add(x, x))});
  }
  CHECK(buffer.to_vector<float>() == std::vector<float>{4, 4});
  x.gradient()->clear();
  CHECK(buffer.to_vector<float>() == std::vector<float>{0, 0});
  CHECK(x.gradient()->tensor().data<float>() == buffer.data<float>());

  const Variable y = leaf({1, 2});
  y.gradient()->accumulate(buffer);
  y.gradient()->clear();
  CHECK_FALSE(y.gradient()->tensor().defined());
}

TEST_CASE("Tape: all memory is given back") {
  const int threads = thread_count();
  set_thread_count(1);  // each thread keeps the scratch memory of its convolutions: here one, which has it after a step
  const Variable x(random_tensor({2, 8, 8, 4}, 1, Device::cpu)), w(random_tensor({4, 3, 3, 4}, 2, Device::cpu), true);
  const auto step = [&](bool go_back) {
    Tape tape;
    Variable y = x;
    for (int i = 0; i < 3; ++i) y = add(conv2d(y, w, {.padding = 1, .relu = true}), y);
    if (go_back) tape.backward({sum(y)});
  };
  step(true);
  w.gradient()->clear();
  const std::size_t before = cpu::allocated_bytes();
  step(true);
  CHECK(cpu::allocated_bytes() > before);
  w.gradient()->clear();
  CHECK(cpu::allocated_bytes() == before);
  step(false);  // a tape that is abandoned
  CHECK(cpu::allocated_bytes() == before);
  set_thread_count(threads);
}

TEST_CASE("Tape: activations are freed on the way back") {
  const std::size_t bytes = 4 * 4096;
  const Variable x(Tensor::full({4096}, 1), true);
  std::size_t at_the_start = 0;
  Tape tape;
  Variable y = record("probe", {x}, x.value(), [&, dx = x.gradient()](const Tensor& dy) {
    at_the_start = cpu::allocated_bytes();
    dx->accumulate(dy);
  });
  const std::size_t before = cpu::allocated_bytes();
  for (int i = 0; i < 10; ++i) y = sigmoid(y);
  CHECK(cpu::allocated_bytes() >= before + 10 * bytes);
  tape.backward(y, Tensor::full({4096}, 1));
  CHECK(at_the_start <= before + 4 * bytes);  // the last output, which is held here, and gradients
}

TEST_CASE("Tape: values that backward does not read are freed at once") {
  const Variable x(Tensor::full({4096}, 1), true);
  Tape tape;
  Variable y = add(x, x);
  const std::size_t before = cpu::allocated_bytes();
  for (int i = 0; i < 10; ++i) y = add(y, y);
  CHECK(cpu::allocated_bytes() == before);
}

TEST_CASE("FiniteCheck: names the operation and its parameter") {
  for (Device device : devices()) {
    const float infinity = INFINITY;
    const Variable x(Tensor::from({1, 1, 1, 2}, std::vector<float>{1, 2}, device));
    Variable w(Tensor::from({3, 1, 1, 2}, std::vector<float>{1, 2, infinity, 0, 0, 1}, device), true, "head.weight");
    CHECK_NOTHROW(conv2d(x, w, {}));
    {
      const FiniteCheck check;
      CHECK_NOTHROW(relu(x));
      CHECK(error_of([&] { conv2d(x, w, {}); }) ==
            "the first non-finite output is that of conv2d with head.weight: 1 of 3 values");
      const Variable bad(Tensor::from({2}, std::vector<float>{NAN, -infinity}, device));
      CHECK(error_of([&] { add(bad, bad); }) == "the first non-finite output is that of add: 2 of 2 values");
      const Variable named(Tensor::from({2}, std::vector<float>{0, 0}, device), true, "bias");
      CHECK(error_of([&] { add(bad, named); }) ==
            "the first non-finite output is that of add with bias: 2 of 2 values");
      { const FiniteCheck nested; }
      CHECK_THROWS_AS(add(bad, bad), Error);
    }
    CHECK_NOTHROW(conv2d(x, w, {}));
  }
}

}  // namespace
}  // namespace diopter
