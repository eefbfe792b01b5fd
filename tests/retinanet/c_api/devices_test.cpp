// The C interface on each device of the build: the same answers, on the caller's stream.
#include <cmath>

#include "engine/tensor.h"
#include "generated/cuda_kind.h"
#include "kernels/device/stream.h"
#include "tests/retinanet/c_api/support.h"
#include "tests/support/devices.h"

using namespace diopter;
using namespace diopter::test;

namespace {

/// A tensor of the engine as a caller describes it.
class View {
 public:
  explicit View(const Tensor& tensor) {
    for (int i = 0; i < tensor.shape().rank(); ++i) shape_.push_back(tensor.shape()[i]);
    const bool integer = tensor.dtype() == DType::i32;
    view_ = {tensor.raw(),
             tensor.device() == Device::cuda ? 2 : 1,
             0,
             static_cast<std::int32_t>(shape_.size()),
             static_cast<std::uint8_t>(integer ? 0 : 2),
             32,
             1,
             shape_.data(),
             nullptr,
             0};
  }
  operator const diopter_tensor*() const { return &view_; }

 private:
  std::vector<std::int64_t> shape_;
  diopter_tensor view_;
};

Tensor integers(const Shape& shape, const std::vector<std::int32_t>& values, Device device) {
  return Tensor::from(shape, values, device);
}

void* stream_of([[maybe_unused]] Device device) {
#ifdef DIOPTER_WITH_CUDA
  if (device == Device::cuda) return cuda::stream();
#endif
  return nullptr;
}

/// Matches, losses and gradients of two images.
struct Results {
  std::vector<std::int32_t> labels, matches, kept, keep, top, counts;
  std::vector<float> losses, gradient, box_losses, box_gradient;
};

Results computed(Device device) {
  const SmallGrid small;
  constexpr std::int64_t kAnchors = SmallGrid::kAnchors;
  const auto room = [&](const Shape& shape, DType type = DType::f32) { return Tensor::zeros(shape, type, device); };
  const Tensor boxes = Tensor::from({3, 4}, std::vector<float>{0, 0, 9, 7, 10, 0, 30, 16, 3, 2, 13, 12}, device);
  const Tensor classes = integers({3}, {1, 0, 2}, device), offsets = integers({3}, {0, 2, 3}, device);
  const Tensor labels = room({2, kAnchors}, DType::i32), matches = room({2, kAnchors}, DType::i32);
  const Tensor positives = room({2}, DType::i32), losses = room({2}), box_losses = room({2});
  const diopter_match_rule rule{sizeof(diopter_match_rule), 0.4f, 0.2f, 1, 0.5f};
  void* stream = stream_of(device);
  REQUIRE(diopter_match_anchors(&small.grid, &rule, View(boxes), View(classes), View(offsets), View(labels),
                                View(matches), View(positives), stream) == DIOPTER_OK);
  const Tensor logits = random_tensor({2, kAnchors, 3}, 1, device), gradient = room({2, kAnchors, 3});
  REQUIRE(diopter_classification_loss("focal", View(logits), View(labels), nullptr, nullptr, View(losses),
                                      View(gradient), stream) == DIOPTER_OK);
  const Tensor deltas = random_tensor({2, kAnchors, 4}, 2, device), box_gradient = room({2, kAnchors, 4});
  REQUIRE(diopter_box_loss("ciou", 0, &small.grid, View(deltas), View(boxes), View(offsets), View(labels),
                           View(matches), nullptr, View(box_losses), View(box_gradient), nullptr,
                           stream) == DIOPTER_OK);
  const Tensor scores = random_tensor({1, 3}, 3, device, 0, 1), keep = room({1, 3}, DType::i32);
  const Tensor kept = room({1}, DType::i32), image = boxes.reshape({1, 3, 4});
  REQUIRE(diopter_batched_nms(View(image), View(scores), nullptr, nullptr, 0.1f, View(keep), View(kept), stream) ==
          DIOPTER_OK);
  const Tensor row = logits.reshape({2, kAnchors * 3}), indices = room({2, 4}, DType::i32), values = room({2, 4});
  const Tensor counts = room({2}, DType::i32);
  REQUIRE(diopter_top_k(View(row), -2, View(indices), View(values), View(counts), stream) == DIOPTER_OK);
  return {labels.to_vector<std::int32_t>(), matches.to_vector<std::int32_t>(), kept.to_vector<std::int32_t>(),
          keep.to_vector<std::int32_t>(),   indices.to_vector<std::int32_t>(), counts.to_vector<std::int32_t>(),
          losses.to_vector<float>(),        gradient.to_vector<float>(),       box_losses.to_vector<float>(),
          box_gradient.to_vector<float>()};
}

void require_near(const std::vector<float>& a, const std::vector<float>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) REQUIRE(a[i] == Approx(b[i]).epsilon(1e-4).margin(1e-5));
}

}  // namespace

TEST_CASE("C interface: every device gives the same") {
  const Results cpu = computed(Device::cpu), other = computed(GENERATE(from_range(devices())));
  CHECK(cpu.counts == std::vector<std::int32_t>{4, 4});
  CHECK(cpu.labels == other.labels);
  CHECK(cpu.matches == other.matches);
  CHECK(cpu.kept == other.kept);
  CHECK(cpu.keep == other.keep);
  CHECK(cpu.top == other.top);
  CHECK(cpu.counts == other.counts);
  require_near(cpu.losses, other.losses);
  require_near(cpu.gradient, other.gradient);
  require_near(cpu.box_losses, other.box_losses);
  require_near(cpu.box_gradient, other.box_gradient);
}
