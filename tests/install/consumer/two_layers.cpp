// The engine alone: a network of two layers learns which points lie in a circle.
#include <cstdio>
#include <vector>

#include "engine/module.h"
#include "engine/optimizer.h"

using namespace diopter;

struct TwoLayers : Module {
  Conv2d hidden, out;

  explicit TwoLayers(InitRandom& random)
      : hidden(2, 16, {.kernel = 1, .init = Init::normal(1)}, random),
        out(16, 1, {.kernel = 1, .init = Init::normal(0.3f)}, random) {
    add_module("hidden", hidden);
    add_module("out", out);
  }
  Variable operator()(const Variable& x) const { return out(hidden.relu(x)); }
};

/// Mean of (y - target)^2: an operation, with its way back.
Variable squared_error(const Variable& y, const Tensor& target) {
  const Tensor slope = Tensor::empty(y.shape());
  const float *value = y.value().data<float>(), *wanted = target.data<float>();
  float *derivative = slope.data<float>(), loss = 0;
  const float n = static_cast<float>(target.size());
  for (std::int64_t i = 0; i < target.size(); ++i) {
    const float difference = value[i] - wanted[i];
    loss += difference * difference / n;
    derivative[i] = 2 * difference / n;
  }
  return record("squared_error", {y}, Tensor::full({1}, loss), [dx = y.gradient(), slope](const Tensor& dy) {
    for (std::int64_t i = 0; i < slope.size(); ++i) slope.data<float>()[i] *= dy.item();
    dx->accumulate(slope);
  });
}

int main() {
  std::vector<float> points, inside;
  for (int i = 0; i < 256; ++i) {
    const float x = (static_cast<float>(i % 16) - 7.5f) / 8, y = (static_cast<float>(i / 16) - 7.5f) / 8;
    points.insert(points.end(), {x, y});
    inside.push_back(x * x + y * y < 0.5f ? 1.0f : 0.0f);
  }
  const Variable x(Tensor::from({1, 16, 16, 2}, points));  // 16 x 16 pixels of 2 channels
  const Tensor target = Tensor::from({1, 16, 16, 1}, inside);

  InitRandom random(1);
  TwoLayers model(random);
  Sgd sgd({{model.parameters(), 0}}, {.momentum = 0.9f});
  float loss = 0;
  for (int step = 0; step <= 500; ++step) {
    Tape tape;
    const Variable error = squared_error(model(x), target);
    sgd.zero_gradients();
    tape.backward({error});
    sgd.step(0.1f);
    loss = error.value().item();
    if (step % 100 == 0) std::printf("step %d: loss %.4f\n", step, static_cast<double>(loss));
  }
  return loss < 0.1f ? 0 : 1;
}
