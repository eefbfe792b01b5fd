// Operations on bf16 activations against the same on floats, and the bf16 copies of parameters.
#include <functional>

#include "engine/optimizer.h"
#include "tests/support/compare.h"
#include "tests/support/devices.h"
#include "tests/support/files.h"

namespace diopter {
namespace {

using namespace test;

/// An operation on x; parameters that it makes for itself are added to the list.
using Operation = std::function<Variable(const Variable& x, std::vector<Variable>& parameters)>;

struct Case {
  const char* name;
  Shape x;
  Operation operation;
};

Variable parameter(const Shape& shape, std::uint64_t seed, Device device, std::vector<Variable>& parameters) {
  const Variable made(random_tensor(shape, seed, device, 0.2f, 1), true, "w");
  made.write_bf16_copy();
  parameters.push_back(made);
  return made;
}

std::vector<Case> cases() {
  const auto affine = [](const Variable& x, std::vector<Variable>& p) {
    const Device device = x.value().device();
    parameter({8}, 11, device, p);
    parameter({8}, 12, device, p);
  };
  const auto convolved = [](Conv2dParams params, bool with_residual, bool with_scale) {
    return [=](const Variable& x, std::vector<Variable>& p) {
      const Device device = x.value().device();
      Conv2dParams all = params;
      const Variable w = parameter({6, 3, 3, 8}, 13, device, p);
      all.padding = 1;
      all.bias = parameter({6}, 14, device, p);
      if (with_scale) all.scale = random_tensor({6}, 15, device, 0.5f, 1.5f);
      if (with_residual) {  // keeps every sum away from the kink of the relu
        std::vector<float> far = uniform(2 * 5 * 4 * 6, -1, 1, 16);
        for (float& v : far) v = v < 0 ? -40.0f : 40.0f;
        all.residual = Variable(Tensor::from({2, 5, 4, 6}, far, device).cast(x.value().dtype()));
      }
      return conv2d(x, w, all);
    };
  };
  const Shape map{2, 5, 4, 8};
  return {
      {"conv2d", map, convolved({}, false, false)},
      {"conv2d, stride 2", map, convolved({.stride = 2}, false, false)},
      {"conv2d, epilogue", map, convolved({.relu = true}, true, true)},
      {"conv2d, float output", map, convolved({.float_output = true}, false, false)},
      {"batch norm", map,
       [=](const Variable& x, std::vector<Variable>& p) {
         affine(x, p);
         const Device device = x.value().device();
         const RunningStatistics running{Tensor::zeros({8}, DType::f32, device), Tensor::full({8}, 1, device)};
         return batch_norm(x, p[0], p[1], running, 0.1f, 1e-5f);
       }},
      {"group norm", map,
       [=](const Variable& x, std::vector<Variable>& p) {
         affine(x, p);
         return group_norm(x, p[0], p[1], 2, 1e-5f);
       }},
      {"channel affine", map,
       [=](const Variable& x, std::vector<Variable>&) {
         const Device device = x.value().device();
         return channel_affine(x, random_tensor({8}, 17, device), random_tensor({8}, 18, device));
       }},
      {"relu", map, [](const Variable& x, std::vector<Variable>&) { return relu(x); }},
      {"sigmoid", map, [](const Variable& x, std::vector<Variable>&) { return sigmoid(x); }},
      {"add", map, [](const Variable& x, std::vector<Variable>&) { return add(x, x); }},
      {"max pool", map, [](const Variable& x, std::vector<Variable>&) { return max_pool(x, 3, 2, 1); }},
      {"upsample", map, [](const Variable& x, std::vector<Variable>&) { return upsample(x, 10, 8); }},
      {"concat levels", map,
       [](const Variable& x, std::vector<Variable>&) {
         return concat_levels({x, max_pool(x, 2, 2, 0)}).rows;
       }},
      {"cast", map, [](const Variable& x, std::vector<Variable>&) { return cast(x, DType::f32); }},
  };
}

struct Outcome {
  Tensor y, dx;
  std::vector<Tensor> parameter_gradients;
};

/// Forwards and backwards from inputs that bf16 holds exactly.
Outcome outcome(const Case& c, DType dtype, Device device) {
  const Tensor input = random_tensor(c.x, 1, device).cast(DType::bf16);
  const Variable x(input.cast(dtype), true);
  std::vector<Variable> parameters;
  Tape tape;
  const Variable y = c.operation(x, parameters);
  const Tensor dy = random_tensor(y.shape(), 2, device).cast(DType::bf16);
  tape.backward(y, dy.cast(y.value().dtype()));
  Outcome result{y.value(), x.gradient()->tensor(), {}};
  for (const Variable& p : parameters) result.parameter_gradients.push_back(p.gradient()->tensor());
  return result;
}

std::vector<float> floats(const Tensor& x) { return x.cast(DType::f32).to_vector<float>(); }

TEST_CASE("precision: every operation on bf16 activations is that on floats, rounded") {
  const Device device = GENERATE(from_range(devices()));
  for (const Case& c : cases()) {
    INFO(c.name << " on " << device_name(device));
    const Outcome rounded = outcome(c, DType::bf16, device), exact = outcome(c, DType::f32, device);
    require_close(floats(rounded.y), floats(exact.y), Tolerance::bf16);
    require_close(floats(rounded.dx), floats(exact.dx), Tolerance::bf16);
    CHECK(rounded.dx.dtype() == DType::bf16);
    const std::string name = c.name;
    CHECK(rounded.y.dtype() == (name == "cast" || name == "conv2d, float output" ? DType::f32 : DType::bf16));
    REQUIRE(rounded.parameter_gradients.size() == exact.parameter_gradients.size());
    for (std::size_t i = 0; i < exact.parameter_gradients.size(); ++i) {
      CHECK(rounded.parameter_gradients[i].dtype() == DType::f32);
      require_close(floats(rounded.parameter_gradients[i]), floats(exact.parameter_gradients[i]), Tolerance::bf16);
    }
  }
}

TEST_CASE("precision: a float output is not rounded") {
  for (Device device : devices()) {
    const Tensor input = random_tensor({1, 4, 4, 8}, 1, device).cast(DType::bf16);
    const Tensor weights = random_tensor({3, 3, 3, 8}, 2, device).cast(DType::bf16).cast(DType::f32);
    const Variable w(weights);
    w.write_bf16_copy();
    const Variable y = conv2d(Variable(input), w, {.padding = 1, .float_output = true});
    const Variable expected = conv2d(Variable(input.cast(DType::f32)), w, {.padding = 1});
    require_close(y.value().to_vector<float>(), expected.value().to_vector<float>(), Tolerance::matrix);
  }
}

TEST_CASE("precision: bf16 copies follow the values through SGD and averages") {
  for (Device device : devices()) {
    const NamedParameter w{"w", Variable(random_tensor({3, 1, 1, 5}, 1, device), true, "w")};
    CHECK(contains(error_of([&] {
                     conv2d(Variable(random_tensor({1, 2, 2, 5}, 2, device).cast(DType::bf16)), w.variable, {});
                   }),
                   "w [3, 1, 1, 5] has no bf16 copy"));
    w.variable.write_bf16_copy();
    const void* address = w.variable.bf16_copy().raw();
    const auto follows = [&] {
      return floats(w.variable.bf16_copy()) == floats(w.variable.value().cast(DType::bf16)) &&
             w.variable.bf16_copy().raw() == address;
    };
    Sgd sgd({{{w}, 0}}, {});
    const std::vector<float> before = floats(w.variable.bf16_copy());
    w.variable.gradient()->accumulate(random_tensor({3, 1, 1, 5}, 3, device));
    sgd.step(0.5f);
    CHECK(follows());
    CHECK(floats(w.variable.bf16_copy()) != before);

    struct Model : Module {
      explicit Model(const Tensor& value) : weight(add_parameter("w", value)) {}
      Variable weight;
    } model(random_tensor({2, 1, 1, 4}, 4, device));
    model.write_bf16_copies();
    WeightAverage average(model, 0.5f);
    model.weight.value().copy_from(random_tensor({2, 1, 1, 4}, 5, device));
    model.write_bf16_copies();
    const std::vector<float> weights = floats(model.weight.bf16_copy());
    average.swap();
    CHECK(floats(model.weight.bf16_copy()) == floats(random_tensor({2, 1, 1, 4}, 4, device).cast(DType::bf16)));
    average.swap();
    CHECK(floats(model.weight.bf16_copy()) == weights);
  }
}

}  // namespace
}  // namespace diopter
