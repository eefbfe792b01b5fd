// Every differentiable operation of ops.h: its gradients, and that bf16 gives the same to bf16's precision.
#include "engine/ops.h"
#include "tests/support/gradcheck.h"

namespace diopter {
namespace {

using namespace test;

struct OperationCase {
  const char* name;
  Operation operation;
  std::vector<Tensor> inputs;
  std::size_t stored = 1;  // the first inputs are activations or weights, stored as bf16 or float; the rest stay float
  bool relu_output = false;
};

Levels three_levels() {
  Levels levels;
  for (LevelShape level : {LevelShape{2, 4, 5}, LevelShape{2, 2, 3}, LevelShape{2, 1, 1}})
    levels.level[levels.count++] = level;
  return levels;
}

/// Values that are 0.05 apart, in disorder: no maximum changes within the steps of the check.
Tensor distinct_values(const Shape& shape, Device device) {
  std::vector<float> values(static_cast<std::size_t>(shape.size()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.05f * static_cast<float>(i * 37 % values.size());
  return Tensor::from(shape, values, device);
}

std::vector<OperationCase> convolutions(Device device) {
  const auto random = [device](const Shape& shape, std::uint64_t seed) { return random_tensor(shape, seed, device); };
  const Tensor x = random({2, 5, 6, 3}, 1), w = random({4, 3, 3, 3}, 2), pointwise = random({4, 1, 1, 3}, 3);
  const Tensor bias = random({4}, 4), scale = random({4}, 5), same = random({2, 5, 6, 4}, 6),
               half = random({2, 3, 3, 4}, 7);
  const Levels levels = three_levels();
  const Tensor rows = random({levels.rows(), 3}, 8);
  using V = std::vector<Variable>;
  return {
      {"conv2d", [](const V& v) { return conv2d(v[0], v[1], {.padding = 1}); }, {x, w}, 2},
      {"conv2d 1x1", [](const V& v) { return conv2d(v[0], v[1], {}); }, {x, pointwise}, 2},
      {"conv2d stride 2", [](const V& v) { return conv2d(v[0], v[1], {.stride = 2, .padding = 1}); }, {x, w}, 2},
      {"conv2d bias", [](const V& v) { return conv2d(v[0], v[1], {.padding = 1, .bias = v[2]}); }, {x, w, bias}, 2},
      {"conv2d scale", [=](const V& v) { return conv2d(v[0], v[1], {.padding = 1, .scale = scale}); }, {x, w}, 2},
      {"conv2d residual",
       [](const V& v) { return conv2d(v[0], v[1], {.padding = 1, .residual = v[2]}); },
       {x, w, same},
       3},
      {"conv2d relu", [](const V& v) { return conv2d(v[0], v[1], {.padding = 1, .relu = true}); }, {x, w}, 2, true},
      {"conv2d with all parts",
       [=](const V& v) {
         return conv2d(v[0], v[1],
                       {.stride = 2, .padding = 1, .bias = v[3], .scale = scale, .residual = v[2], .relu = true});
       },
       {x, w, half, bias},
       3,
       true},
      {"conv2d of a pyramid",
       [=](const V& v) {
         return conv2d(Pyramid{v[0], levels}, v[1], {.padding = 1, .bias = v[2], .relu = true}).rows;
       },
       {rows, w, bias},
       2,
       true},
      {"conv2d of a pyramid, stride 2",
       [=](const V& v) {
         return conv2d(Pyramid{v[0], levels}, v[1], {.stride = 2, .padding = 1}).rows;
       },
       {rows, w},
       2},
  };
}

std::vector<OperationCase> other_operations(Device device) {
  const auto random = [device](const Shape& shape, std::uint64_t seed) { return random_tensor(shape, seed, device); };
  const Tensor x = random({2, 5, 6, 4}, 11), other = random({2, 5, 6, 4}, 12), gamma = random({4}, 13),
               beta = random({4}, 14);
  const RunningStatistics running{Tensor::zeros({4}, DType::f32, device), Tensor::full({4}, 1, device)};
  const Levels levels = three_levels();
  const Tensor rows = random({levels.rows(), 4}, 15);
  using V = std::vector<Variable>;
  return {
      {"batch_norm", [=](const V& v) { return batch_norm(v[0], v[1], v[2], running, 0.1f, 1e-5f); }, {x, gamma, beta}},
      {"channel_affine", [=](const V& v) { return channel_affine(v[0], gamma, beta); }, {x}},
      {"group_norm", [](const V& v) { return group_norm(v[0], v[1], v[2], 2, 1e-5f); }, {x, gamma, beta}},
      {"group_norm with relu",
       [](const V& v) { return group_norm(v[0], v[1], v[2], 2, 1e-5f, true); },
       {x, gamma, beta},
       1,
       true},
      {"group_norm of a pyramid",
       [=](const V& v) {
         return group_norm(Pyramid{v[0], levels}, v[1], v[2], 2, 1e-5f).rows;
       },
       {rows, gamma, beta}},
      {"relu", [](const V& v) { return relu(v[0]); }, {x}, 1, true},
      {"relu of a pyramid",
       [=](const V& v) {
         return relu(Pyramid{v[0], levels}).rows;
       },
       {rows},
       1,
       true},
      {"sigmoid", [](const V& v) { return sigmoid(v[0]); }, {x}},
      {"add", [](const V& v) { return add(v[0], v[1]); }, {x, other}, 2},
      {"add to itself", [](const V& v) { return add(v[0], v[0]); }, {x}},
      {"max_pool", [](const V& v) { return max_pool(v[0], 3, 2, 1); }, {distinct_values({2, 7, 6, 3}, device)}},
      {"max_pool, no overlap",
       [](const V& v) { return max_pool(v[0], 2, 2, 0); },
       {distinct_values({2, 7, 6, 3}, device)}},
      {"upsample", [](const V& v) { return upsample(v[0], 7, 11); }, {x}},
      {"concat_levels",
       [](const V& v) { return concat_levels(v).rows; },
       {random({2, 4, 5, 3}, 16), random({2, 2, 3, 3}, 17), random({2, 1, 1, 3}, 18)},
       3},
      {"sum", [](const V& v) { return sum(v[0]); }, {x}},
  };
}

std::vector<OperationCase> operation_cases(Device device) {
  std::vector<OperationCase> cases = convolutions(device);
  for (OperationCase& c : other_operations(device)) cases.push_back(c);
  return cases;
}

TEST_CASE("Gradients of every operation agree with central differences") {
  for (Device device : devices()) {
    for (const OperationCase& c : operation_cases(device)) {
      INFO(c.name << " on " << device_name(device));
      check_gradients(c.operation, c.inputs, {.relu_output = c.relu_output});
    }
  }
}

/// Values of a tensor of float or bf16.
std::vector<float> float_values(const Tensor& x) {
  if (x.dtype() == DType::f32) return x.to_vector<float>();
  std::vector<float> values;
  for (bf16 v : x.to_vector<bf16>()) values.push_back(static_cast<float>(v));
  return values;
}

Tensor to_bf16(const Tensor& x) {
  std::vector<bf16> values;
  for (float v : x.to_vector<float>()) values.emplace_back(v);
  return Tensor::from(x.shape(), values, x.device());
}

Tensor rounded_to_bf16(const Tensor& x) { return Tensor::from(x.shape(), float_values(to_bf16(x)), x.device()); }

struct Results {
  std::vector<float> y;
  std::vector<std::vector<float>> gradients;
};

/// Runs forward and backward. dy is a fixed random gradient that bf16 holds exactly, 0 where y of the float run
/// (`mask`, unless empty) is so close to a relu's kink that rounding may move it across.
Results run(const OperationCase& c, const std::vector<Tensor>& inputs, const std::vector<float>& mask) {
  Tape tape;
  const std::vector<Variable> x = variables(inputs, [](std::size_t) { return true; });
  const Variable y = c.operation(x);
  Tensor dy = rounded_to_bf16(random_tensor(y.shape(), 99, y.value().device()));
  if (!mask.empty()) {
    std::vector<float> values = dy.to_vector<float>();
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::fabs(mask[i]) < 0.05f ? 0.0f : values[i];
    dy = Tensor::from(dy.shape(), values, dy.device());
  }
  tape.backward(y, y.value().dtype() == DType::bf16 ? to_bf16(dy) : dy);

  Results results{float_values(y.value()), {}};
  for (const Variable& v : x) results.gradients.push_back(float_values(v.gradient()->tensor()));
  return results;
}

TEST_CASE("Operations on bf16 agree with float to its precision") {
  for (Device device : devices()) {
    for (const OperationCase& c : operation_cases(device)) {
      INFO(c.name << " on " << device_name(device));
      std::vector<Tensor> floats, stored;
      for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        floats.push_back(i < c.stored ? rounded_to_bf16(c.inputs[i]) : c.inputs[i]);
        stored.push_back(i < c.stored ? to_bf16(c.inputs[i]) : c.inputs[i]);
      }
      const std::vector<float> y =
          c.operation(variables(floats, [](std::size_t) { return false; })).value().to_vector<float>();
      const std::vector<float> mask = c.relu_output ? y : std::vector<float>();
      const Results expected = run(c, floats, mask), actual = run(c, stored, mask);
      require_close(actual.y, expected.y, Tolerance::bf16);
      for (std::size_t i = 0; i < c.inputs.size(); ++i) {
        INFO("gradient of input " << i);
        require_close(actual.gradients[i], expected.gradients[i], Tolerance::bf16);
      }
    }
  }
}

}  // namespace
}  // namespace diopter
