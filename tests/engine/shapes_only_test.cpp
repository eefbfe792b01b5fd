#include "engine/shapes_only.h"

#include "engine/ops.h"
#include "kernels/toolkit/dispatch.h"
#include "tests/support/catch.h"

namespace diopter {

TEST_CASE("shapes only: no kernel runs, shapes are right, convolutions are listed") {
  const Variable x(Tensor::full({1, 6, 5, 3}, 2.0f), true), w(Tensor::full({4, 3, 3, 3}, 1.0f), true);
  const Variable frozen(Tensor::full({2, 1, 1, 4}, 1.0f));
  {
    const ShapesOnly shapes;
    CHECK(ShapesOnly::current() == &shapes);
    const Tape tape;
    const Variable y = relu(conv2d(x, w, {.stride = 2, .padding = 1, .relu = true}));
    CHECK(y.shape() == Shape{1, 3, 3, 4});
    const Variable z = conv2d(y, frozen, {.bias = Variable(Tensor::full({2}, 0.0f)), .scale = Tensor::full({2}, 1.0f)});
    CHECK(z.shape() == Shape{1, 3, 3, 2});
    REQUIRE(shapes.convolutions().size() == 2);
    const ConvolutionCall &first = shapes.convolutions()[0], &second = shapes.convolutions()[1];
    CHECK(first.shape.in == Levels({1, 6, 5}));
    CHECK(first.shape.stride == 2);
    CHECK((first.relu && !first.bias && !first.scale && !first.residual));
    CHECK((first.data_gradient && first.weight_gradient));
    CHECK((second.scale && second.bias && !second.relu));
    CHECK((second.data_gradient && !second.weight_gradient));
  }
  CHECK(ShapesOnly::current() == nullptr);
  // A kernel would have written 54 to the middle of y.
  const std::vector<float> computed = conv2d(x, w, {.padding = 1}).value().to_vector<float>();
  CHECK(computed[(2 * 5 + 2) * 4] == 54.0f);
  float untouched = 7.0f;
  {
    const ShapesOnly shapes;
    const float one = 1.0f;
    DIOPTER_DISPATCH(Device::cpu, copy, &untouched, &one, sizeof one);
  }
  CHECK(untouched == 7.0f);
}

TEST_CASE("shapes only: without a tape there are no gradients") {
  const ShapesOnly outer;
  {
    const ShapesOnly inner;
    conv2d(Variable(Tensor::full({1, 2, 2, 1}, 1.0f), true), Variable(Tensor::full({1, 1, 1, 1}, 1.0f), true), {});
    REQUIRE(inner.convolutions().size() == 1);
    CHECK_FALSE(inner.convolutions()[0].data_gradient);
    CHECK_FALSE(inner.convolutions()[0].weight_gradient);
  }
  CHECK(ShapesOnly::current() == &outer);
  CHECK_FALSE(kernels_run);
}

}  // namespace diopter
