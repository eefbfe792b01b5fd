#include <cmath>

#include "kernels/detection/losses/focal.h"
#include "kernels/detection/pairs/box_pairs.h"
#include "kernels/plain/box_pairs.h"
#include "kernels/plain/elementwise_loss.h"
#include "tests/retinanet/c_api/support.h"
#include "tests/support/compare.h"
#include "tests/support/random.h"

using namespace diopter;
using namespace diopter::test;

TEST_CASE("C interface: loss of logits with a target each is the kernel's") {
  const std::vector<float> x = uniform(700, -4, 4, 1);
  std::vector<float> t(700), expected_losses(700), expected_gradient(700), expected_sum(1);
  for (std::size_t i = 0; i < 700; i += 3) t[i] = 1;
  plain::elementwise_loss(ElementwiseLossArgs<float>{700, x.data(), t.data(), 0.25f, expected_losses.data(),
                                                     expected_sum.data(), expected_gradient.data()},
                          FocalLoss{1.5f, 0.5f});
  HostArray logits({700}, x), targets({700}, t), losses = filled({700}, NAN), sum = filled({1}, NAN);
  HostArray gradient = filled({700}, NAN);
  REQUIRE(diopter_elementwise_loss("focal:gamma=1.5,alpha=0.5", logits, targets, 0.25f, losses, sum, gradient,
                                   nullptr) == DIOPTER_OK);
  require_close(losses.values<float>(), expected_losses, 1e-6);
  require_close(sum.values<float>(), expected_sum, 1e-5);
  require_close(gradient.values<float>(), expected_gradient, 1e-6);

  SECTION("bfloat16: the gradient is, too") {
    HostArray narrow({700}, std::vector<bf16>(x.begin(), x.end())), slope = filled({700}, bf16(0.0f));
    REQUIRE(diopter_elementwise_loss("focal:gamma=1.5,alpha=0.5", narrow, targets, 0.25f, losses, sum, slope,
                                     nullptr) == DIOPTER_OK);
    const std::vector<bf16> slopes = slope.values<bf16>();
    require_close(std::vector<float>(slopes.begin(), slopes.end()), expected_gradient, Tolerance::bf16);
    require_refused(diopter_elementwise_loss("focal", narrow, targets, 1, losses, sum, gradient, nullptr),
                    {"diopter_elementwise_loss: gradient: is float32 [700], must be bfloat16 [700]"});
  }
  SECTION("refused: losses that need more, a scale that is none, targets between") {
    require_refused(diopter_elementwise_loss("ohem", logits, targets, 1, losses, sum, gradient, nullptr),
                    {"loss: ohem selects hard examples"});
    require_refused(diopter_elementwise_loss("ghm", logits, targets, 1, losses, sum, gradient, nullptr),
                    {"loss: ghm weighs"});
    require_refused(diopter_elementwise_loss(nullptr, logits, targets, 1, losses, sum, gradient, nullptr),
                    {"loss: is null"});
    diopter_tensor most = *static_cast<const diopter_tensor*>(logits);
    std::int64_t size = std::int64_t{1} << 60;  // 2^62 bytes could be
    most.shape = &size;
    require_refused(diopter_elementwise_loss("ce", &most, targets, 1, losses, sum, gradient, nullptr),
                    {"targets: is float32 [700], must be", std::to_string(size)});
    size *= 2;
    require_refused(diopter_elementwise_loss("ce", &most, targets, 1, losses, sum, gradient, nullptr),
                    {"inputs: float32 [" + std::to_string(size) + "] is more than memory can hold"});
    require_refused(diopter_elementwise_loss("ce", logits, targets, NAN, losses, sum, gradient, nullptr),
                    {"scale: is nan, must be finite"});
    targets.data<float>()[6] = 0.5f;
    CHECK(diopter_elementwise_loss("ce", logits, targets, 1, losses, sum, gradient, nullptr) == DIOPTER_FAILED);
    CHECK(std::string(diopter_last_error()).find("targets: element 6 is 0.5") != std::string::npos);
    CHECK(diopter_elementwise_loss("quality_focal", logits, targets, 1, losses, sum, gradient, nullptr) == DIOPTER_OK);
  }
}

TEST_CASE("C interface: losses and overlaps of pairs of boxes are the kernels'") {
  const std::vector<float> a{0, 0, 4, 4, 1, 1, 3, 9}, b{2, 1, 6, 5, 1, 1, 3, 9, 7, 7, 8, 8};
  const std::vector<float> targets_of_a(b.begin(), b.begin() + 8);
  HostArray boxes({2, 4}, a), targets({2, 4}, targets_of_a), others({3, 4}, b);
  HostArray losses = filled({2}, NAN), gradient = filled({2, 4}, NAN), ious = filled({2, 3}, NAN);
  std::vector<float> expected_losses(2), expected_gradient(8), expected_ious(6);

  for (const auto& [name, kind] :
       {std::pair("giou", BoxLoss::giou), std::pair("diou", BoxLoss::diou), std::pair("ciou", BoxLoss::ciou)}) {
    plain::box_pair_loss(
        {kind, 1e-3f, 2, a.data(), targets_of_a.data(), expected_losses.data(), expected_gradient.data()});
    REQUIRE(diopter_box_pair_loss(name, 1e-3f, boxes, targets, losses, gradient, nullptr) == DIOPTER_OK);
    require_close(losses.values<float>(), expected_losses, 1e-6);
    require_close(gradient.values<float>(), expected_gradient, 1e-6);
  }
  plain::pairwise_iou({2, 3, a.data(), b.data(), expected_ious.data()});
  REQUIRE(diopter_box_iou(boxes, others, ious, nullptr) == DIOPTER_OK);
  CHECK(ious.values<float>() == expected_ious);
  CHECK(expected_ious[4] == 1);

  require_refused(diopter_box_pair_loss("l1", 1e-7f, boxes, targets, losses, gradient, nullptr),
                  {"loss: is l1, which is one of anchors, must be giou, diou or ciou"});
  require_refused(diopter_box_pair_loss("siou", 1e-7f, boxes, targets, losses, gradient, nullptr),
                  {"loss: unknown box loss siou"});
  for (const float wrong : {0.0f, -1.0f, NAN, INFINITY}) {
    require_refused(diopter_box_pair_loss("giou", wrong, boxes, targets, losses, gradient, nullptr), {"epsilon: is "});
  }
}
