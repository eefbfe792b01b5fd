#include "retinanet/network/convolutions.h"

#include <map>
#include <string>

#include "kernels/nn/conv2d/conv2d.h"
#include "kernels/toolkit/dispatch.h"
#include "retinanet/config/presets.h"
#include "retinanet/network/retinanet.h"
#include "tests/support/catch.h"

namespace diopter {
namespace {

/// Calls of kernels and their operations, by the kernel's name.
struct Calls {
  std::map<std::string, std::pair<int, double>> by_name;
  const KernelObserver observer{this,
                                [](void* self, const char* name, const LeastWork& least) {
                                  auto& [calls, operations] = static_cast<Calls*>(self)->by_name[name];
                                  ++calls;
                                  operations += least.operations;
                                },
                                [](void*) noexcept {}};
  Calls() { kernel_observer = &observer; }
  ~Calls() { kernel_observer = nullptr; }
  Calls(const Calls&) = delete;
};

}  // namespace

TEST_CASE("convolutions: those that a network computes, forward and back") {
  const bool training = GENERATE(true, false);
  Config config = preset("small");
  config.model.norm = GENERATE(NormKind::batch, NormKind::frozen_batch);
  constexpr int kClasses = 3, kSide = 64;

  std::map<std::string, std::pair<int, double>> expected;
  for (const ConvolutionCall& call : convolutions_of(config, kClasses, DType::f32, training, kSide, kSide)) {
    const auto add = [&](const std::string& name, bool asked) {
      if (!asked) return;
      ++expected[name].first;
      expected[name].second += least_work::convolution<float>(call.shape, sizeof(float)).operations;
    };
    add("conv2d_forward", true);
    add("conv2d_backward_data", call.data_gradient);
    add("conv2d_backward_weight", call.weight_gradient);
  }

  RetinaNet network(config, kClasses);
  network.set_training(training);
  const Variable images(Tensor::full({1, kSide, kSide, 3}, 0.5f));
  const Calls calls;
  if (training) {
    Tape tape;
    const RetinaNet::Output output = network(images);
    // One loss of both heads, so that everything goes back.
    const Variable& logits = output.logits.rows;
    tape.backward(logits, Tensor::full(logits.shape(), 1.0f));
    Tape again;
    const Variable& deltas = network(images).deltas.rows;
    again.backward(deltas, Tensor::full(deltas.shape(), 1.0f));
    CHECK(calls.by_name.at("conv2d_forward").first == 2 * expected.at("conv2d_forward").first);
    // The trunk went back twice, each head once.
    const int trunk_and_heads = calls.by_name.at("conv2d_backward_weight").first;
    const int heads = 2 * (config.model.head_depth + 1);
    CHECK(trunk_and_heads == 2 * expected.at("conv2d_backward_weight").first - heads);
    CHECK(calls.by_name.at("conv2d_backward_data").first == 2 * expected.at("conv2d_backward_data").first - heads);
  } else {
    network(images);
    CHECK(calls.by_name.at("conv2d_forward") == expected.at("conv2d_forward"));
    CHECK(expected.count("conv2d_backward_weight") == 0);
    CHECK(expected.count("conv2d_backward_data") == 0);
  }
}

TEST_CASE("convolutions: bf16, and the box head's float result") {
  const auto calls = convolutions_of(preset("paper"), 80, DType::bf16, true, 96, 128);
  int wide = 0, folded = 0, frozen = 0;
  for (const ConvolutionCall& call : calls) {
    CHECK(call.input == DType::bf16);
    if (call.output == DType::f32) {
      ++wide;
      CHECK(call.shape.out_channels == 36);
      CHECK(call.shape.in.count == 5);
    }
    folded += call.scale;
    frozen += !call.weight_gradient;
  }
  CHECK(wide == 1);
  CHECK(folded == 53);      // every convolution of ResNet-50 has a frozen norm
  CHECK(frozen == 1 + 10);  // stem and layer1
  CHECK_FALSE(calls[0].data_gradient);
}

}  // namespace diopter
