// The floors that profiles and benchmarks judge kernels by, counted by hand.
#include "kernels/base/least_work.h"

#include "kernels/detection/anchors.h"
#include "kernels/detection/any_loss.h"
#include "kernels/detection/classification_loss.h"
#include "kernels/detection/match.h"
#include "kernels/detection/weighting/class_focusing.h"
#include "kernels/detection/weighting/gradient_density.h"
#include "kernels/nn/adamw.h"
#include "kernels/nn/conv2d/conv2d.h"
#include "kernels/nn/elementwise.h"
#include "kernels/nn/max_pool.h"
#include "kernels/nn/sgd.h"
#include "kernels/nn/upsample.h"
#include "tests/kernels/detection/support.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

const float* const kNone = nullptr;
const bf16* const kNoneNarrow = nullptr;

/// A batch of 2 pictures of 4 x 6, from 3 channels to 5 by a kernel of 3 at every second pixel: 2 x 3 come out.
Conv2dShape shape() {
  Conv2dShape s;
  s.in.count = 1;
  s.in.level[0] = {2, 4, 6};
  s.in_channels = 3;
  s.out_channels = 5;
  s.kernel = 3;
  s.stride = 2;
  s.padding = 1;
  return s;
}

}  // namespace

TEST_CASE("least work: a convolution reads both inputs and writes the output, in every pass") {
  constexpr double kIn = 2 * 4 * 6 * 3, kOut = 2 * 2 * 3 * 5, kWeights = 9 * 3 * 5;
  Conv2dForwardArgs<float, float> args{};
  args.shape = shape();
  const LeastWork forward = least_work::conv2d_forward(args);
  CHECK(forward.bytes == 4 * (kIn + kOut + kWeights));
  CHECK(forward.operations == 2 * 2 * 2 * 3 * kWeights);
  float residual = 0;
  args.epilogue.residual = &residual;
  CHECK(least_work::conv2d_forward(args).bytes == 4 * (kIn + 2 * kOut + kWeights));
  CHECK(least_work::conv2d_backward_data(shape(), kNoneNarrow, kNoneNarrow, kNoneNarrow).bytes ==
        2 * (kIn + kOut + kWeights));
  CHECK(least_work::conv2d_backward_weight(shape(), kNoneNarrow, kNoneNarrow, kNone).bytes ==
        2 * (kIn + kOut) + 4 * kWeights);
  Conv2dShape sparse = shape();  // a pixel of four
  sparse.kernel = 1;
  sparse.padding = 0;
  CHECK(least_work::conv2d_backward_data(sparse, kNone, kNone, kNone).bytes == 4 * (kIn / 4 + kOut + 3 * 5));

  float y = 0, out = 0;
  using Args = Conv2dEpilogueBackwardArgs<float>;
  const auto bytes = [](const Args& a) { return least_work::conv2d_epilogue_backward(a).bytes; };
  CHECK(bytes({.rows = 10, .channels = 3, .dy = kNone}) == 4 * 30);
  CHECK(bytes({.rows = 10, .channels = 3, .y = &y, .dy = kNone}) == 2 * 4 * 30);
  CHECK(bytes({.rows = 10, .channels = 3, .dy = kNone, .dz = &out}) == 2 * 4 * 30);
  CHECK(bytes({.rows = 10, .channels = 3, .y = &y, .dy = kNone, .dz = &out, .dresidual = &out}) == 4 * 4 * 30);
}

TEST_CASE("least work: pooling, enlarging, updates") {
  const MaxPoolShape pool{{2, 4, 6}, 3, 2, 2, 0};  // a byte for each maximum says where it was
  CHECK(least_work::max_pool_forward(pool, kNone, kNone, nullptr).bytes == 3 * (48 * 4 + 12 * (4 + 1)));
  CHECK(least_work::max_pool_backward(pool, nullptr, kNoneNarrow, kNoneNarrow).bytes == 3 * (48 * 2 + 12 * (2 + 1)));
  CHECK(least_work::upsample_forward({2, 2, 3}, 5, 4, 6, kNone, kNone).bytes == 4 * 5 * (12 + 48));
  CHECK(least_work::upsample_backward({2, 2, 3}, 5, 4, 6, kNoneNarrow, kNoneNarrow).bytes == 2 * 5 * (12 + 48));
  SgdArgs sgd{};
  AdamwArgs adamw{};
  sgd.values = adamw.values = 7;
  CHECK(least_work::sgd_step(sgd).bytes == 5 * 4 * 7);
  CHECK(least_work::adamw_step(adamw).bytes == 7 * 4 * 7);
  CHECK(least_work::add(7, kNoneNarrow, kNoneNarrow, kNoneNarrow).bytes == 3 * 2 * 7);
}

TEST_CASE("least work: losses read logits and labels, and write the gradient where there is one") {
  constexpr double kAnchors = 2 * 3 * (8 + 2), kLogits = kAnchors * 5;
  test::Head<bf16> head(2, 3, 5, {8, 2}, 1);  // padding does not count
  test::DeviceArrays host(Device::cpu);
  const auto bytes = [&](bool gradient) {
    ClassificationLossArgs<bf16> args{};
    args.logits = head.levels(host, gradient);
    return least_work::classification_loss(args, AnyLoss()).bytes;
  };
  CHECK(bytes(false) == 2 * kLogits + 4 * kAnchors);
  CHECK(bytes(true) == 2 * 2 * kLogits + 4 * kAnchors);
  CHECK(least_work::gradient_histogram<bf16>({head.levels(host), nullptr, nullptr}, AnyLoss()).bytes ==
        2 * kLogits + 4 * kAnchors);
  CHECK(least_work::density_weights({{30, 0.75f}, nullptr, nullptr, nullptr}).bytes == 4 * 4 * 30);
  CHECK(least_work::class_gradients<bf16>({head.levels(host), nullptr, nullptr}).bytes == 2 * kLogits + 4 * kAnchors);
  CHECK(least_work::class_focusing({{8}, 5, nullptr, nullptr}).bytes == 3 * 4 * 5);

  const AnchorGrid grid = test::small_grid(2, 4, 6, 8);
  CHECK(grid.size() == 3 * (24 + 6));
  MatchArgs match{};
  match.grid = grid;
  match.truth.images = 2;
  CHECK(least_work::match_anchors(match).bytes == 2 * 2 * 4 * 90);
  CHECK(least_work::generate_anchors(grid, nullptr).bytes == 16 * 90);
}

}  // namespace diopter
