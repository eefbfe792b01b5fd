#include "engine/trace.h"

#include "engine/ops.h"
#include "tests/support/catch.h"

using namespace diopter;

TEST_CASE("trace: operations are listed in the order of their calls, values by their addresses") {
  const Variable x(Tensor::full({1, 4, 4, 2}, 1)), w(Tensor::full({2, 1, 1, 2}, 1));
  REQUIRE(Trace::current() == nullptr);
  const Trace trace;
  const Variable y = relu(conv2d(x, w, {.stride = 2}));
  const Pyramid pyramid = concat_levels({add(upsample(y, x), x), y});
  const auto& operations = trace.operations();
  REQUIRE(operations.size() == 5);
  const auto& convolution = std::get<traced::Convolution>(operations[0]);
  CHECK(convolution.x.raw() == x.value().raw());
  CHECK(convolution.params.stride == 2);
  const auto& activation = std::get<traced::ActivationOf>(operations[1]);
  CHECK(activation.x.raw() == convolution.y.raw());
  CHECK(activation.y.raw() == y.value().raw());
  CHECK(activation.function == Activation::relu);
  const auto& upsampling = std::get<traced::Upsampling>(operations[2]);
  CHECK(upsampling.like.raw() == x.value().raw());
  CHECK(std::get<traced::Sum>(operations[3]).a.raw() == upsampling.y.raw());
  const auto& levels = std::get<traced::Levels>(operations[4]);
  REQUIRE(levels.maps.size() == 2);
  CHECK(levels.maps[1].raw() == y.value().raw());
  CHECK(levels.y.raw() == pyramid.rows.value().raw());
}

TEST_CASE("trace: the innermost one lists, and keeps values alive") {
  const Variable x(Tensor::full({1, 2, 2, 1}, 1));
  const Trace outer;
  {
    const Trace inner;
    relu(x);
    CHECK(inner.operations().size() == 1);
    CHECK(std::get<traced::ActivationOf>(inner.operations()[0]).y.unique());
  }
  CHECK(outer.operations().empty());
  relu(x);
  CHECK(outer.operations().size() == 1);
}
