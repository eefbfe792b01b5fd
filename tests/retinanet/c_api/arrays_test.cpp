// Every function of the C interface with each of its arrays null, empty, of another type, size, order or device: an
// error that names the array and what it must be, never a crash.
#include "retinanet/c_api/arrays.h"

#include <functional>
#include <limits>

#include "generated/cuda_kind.h"
#include "tests/retinanet/c_api/support.h"
#include "tests/support/files.h"

using namespace diopter;
using namespace diopter::test;

namespace {

struct Argument {
  std::string name;
  const diopter_tensor* array;
  bool optional = false;
};

/// A function with arguments that it takes.
struct Function {
  std::string name;
  std::vector<Argument> arguments;
  std::function<int(const std::vector<const diopter_tensor*>&)> call;
};

/// The functions and their arrays; each is told once.
class Functions {
 public:
  Functions() {
    const auto& g = small_.grid;
    all_ = {
        {"diopter_classification_loss",
         {{"logits", logits_},
          {"labels", labels_},
          {"qualities", qualities_, true},
          {"scale", scale_, true},
          {"losses", losses_},
          {"gradient", gradient_, true}},
         [](const auto& a) {
           return diopter_classification_loss("varifocal", a[0], a[1], a[2], a[3], a[4], a[5], nullptr);
         }},
        {"diopter_elementwise_loss",
         {{"inputs", flat_logits_},
          {"targets", flat_targets_},
          {"losses", flat_losses_, true},
          {"sum", sum_, true},
          {"gradient", flat_gradient_, true}},
         [](const auto& a) { return diopter_elementwise_loss("ce", a[0], a[1], 1, a[2], a[3], a[4], nullptr); }},
        {"diopter_box_pair_loss",
         {{"boxes1", boxes_}, {"boxes2", boxes_}, {"losses", pair_losses_}, {"gradient", pair_gradient_, true}},
         [](const auto& a) { return diopter_box_pair_loss("ciou", 1e-7f, a[0], a[1], a[2], a[3], nullptr); }},
        {"diopter_box_iou",
         {{"boxes1", boxes_}, {"boxes2", anchors_}, {"ious", pair_ious_}},
         [](const auto& a) { return diopter_box_iou(a[0], a[1], a[2], nullptr); }},
        {"diopter_anchors", {{"boxes", anchors_}}, [&g](const auto& a) { return diopter_anchors(&g, a[0], nullptr); }},
        {"diopter_match_anchors",
         {{"boxes", boxes_},
          {"box_labels", box_labels_},
          {"offsets", offsets_},
          {"labels", matched_},
          {"matches", matches_},
          {"positives", positives_}},
         [&g](const auto& a) {
           return diopter_match_anchors(&g, nullptr, a[0], a[1], a[2], a[3], a[4], a[5], nullptr);
         }},
        {"diopter_box_loss",
         {{"deltas", deltas_},
          {"boxes", boxes_},
          {"offsets", offsets_},
          {"labels", background_},
          {"matches", matches_},
          {"scale", scale_, true},
          {"losses", losses_},
          {"gradient", box_gradient_, true},
          {"ious", ious_, true}},
         [&g](const auto& a) {
           return diopter_box_loss("giou", 0, &g, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], nullptr);
         }},
        {"diopter_top_k",
         {{"values", values_}, {"indices", indices_}, {"top", top_}, {"counts", counts_}},
         [](const auto& a) { return diopter_top_k(a[0], 0, a[1], a[2], a[3], nullptr); }},
        {"diopter_batched_nms",
         {{"boxes", nms_boxes_},
          {"scores", nms_scores_},
          {"labels", nms_labels_, true},
          {"counts", counts_, true},
          {"keep", indices_},
          {"kept", kept_}},
         [](const auto& a) { return diopter_batched_nms(a[0], a[1], a[2], a[3], 0.5f, a[4], a[5], nullptr); }},
        {"diopter_coco_metrics",
         {{"image_ids", ids_},
          {"category_ids", ids_},
          {"boxes", rects_},
          {"areas", areas_, true},
          {"crowds", crowds_, true},
          {"images", ids_, true},
          {"found_image_ids", ids_},
          {"found_category_ids", ids_},
          {"found_boxes", rects_},
          {"scores", areas_},
          {"numbers", numbers_}},
         [](const auto& a) {
           return diopter_coco_metrics(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8], a[9], a[10]);
         }},
    };
  }

  const std::vector<Function>& all() const { return all_; }

 private:
  SmallGrid small_;
  HostArray logits_ = filled({2, 4, 3}, 0.5f), qualities_ = filled({2, 4}, 0.5f), scale_ = filled({2}, 1.0f);
  HostArray labels_ = filled<std::int32_t>({2, 4}, 1), losses_ = filled({2}, 0.0f), gradient_ = filled({2, 4, 3}, 0.0f);
  HostArray flat_logits_ = filled({5}, 0.5f), flat_targets_ = filled({5}, 1.0f), flat_losses_ = filled({5}, 0.0f);
  HostArray sum_ = filled({1}, 0.0f), flat_gradient_ = filled({5}, 0.0f), pair_losses_ = filled({3}, 0.0f);
  HostArray pair_gradient_ = filled({3, 4}, 0.0f), pair_ious_ = filled({3, 8}, 0.0f);
  HostArray anchors_ = filled({8, 4}, 0.0f), boxes_ = filled({3, 4}, 0.0f), box_labels_ = filled<std::int32_t>({3}, 1);
  HostArray offsets_{{3}, std::vector<std::int32_t>{0, 2, 3}}, positives_ = filled<std::int32_t>({2}, 0);
  HostArray matched_ = filled<std::int32_t>({2, 8}, 0), matches_ = filled<std::int32_t>({2, 8}, -1);
  HostArray background_ = filled<std::int32_t>({2, 8}, -1);
  HostArray deltas_ = filled({2, 8, 4}, 0.0f), box_gradient_ = filled({2, 8, 4}, 0.0f), ious_ = filled({2, 8}, 0.0f);
  HostArray values_ = filled({2, 5}, 1.0f), indices_ = filled<std::int32_t>({2, 3}, 0), top_ = filled({2, 3}, 0.0f);
  HostArray counts_ = filled<std::int32_t>({2}, 2), kept_ = filled<std::int32_t>({2}, 0);
  HostArray nms_boxes_ = filled({2, 5, 4}, 1.0f), nms_scores_ = filled({2, 5}, 1.0f);
  HostArray nms_labels_ = filled<std::int32_t>({2, 5}, 1);
  HostArray ids_ = filled<std::int64_t>({2}, 1), rects_ = filled({2, 4}, 1.0), areas_ = filled({2}, 1.0);
  HostArray crowds_ = filled<std::uint8_t>({2}, 0), numbers_ = filled({12}, 0.0);
  std::vector<Function> all_;
};

/// Changes to an array that make it one that no function takes.
struct Fault {
  std::string words;  // that the message has
  std::function<void(diopter_tensor& tensor, std::vector<std::int64_t>& shape, std::vector<std::int64_t>& strides)>
      make;
};

std::vector<Fault> faults() {
  using Sizes = std::vector<std::int64_t>;
  return {
      {"must be", [](diopter_tensor& t, Sizes&, Sizes&) { t.type_bits = 128; }},
      {"must be", [](diopter_tensor& t, Sizes&, Sizes&) { t.type_code = 5; }},
      {"must be", [](diopter_tensor& t, Sizes&, Sizes&) { t.type_lanes = 4; }},
      {"must be", [](diopter_tensor& t, Sizes&, Sizes&) { t.ndim = 0; }},
      {"must be", [](diopter_tensor& t, Sizes&, Sizes&) { t.ndim = -1; }},
      {"must be", [](diopter_tensor& t, Sizes&, Sizes&) { t.ndim = 1000000; }},
      {"without a shape, must be", [](diopter_tensor& t, Sizes&, Sizes&) { t.shape = nullptr; }},
      {"must be", [](diopter_tensor&, Sizes& shape, Sizes&) { shape[0] = -2; }},
      {"its data are null", [](diopter_tensor& t, Sizes&, Sizes&) { t.data = nullptr; }},
      {"contiguous", [](diopter_tensor& t, Sizes&, Sizes& strides) { strides.back() = 2, t.strides = strides.data(); }},
      {"device of type 7", [](diopter_tensor& t, Sizes&, Sizes&) { t.device_type = 7; }},
  };
}

}  // namespace

TEST_CASE("C interface: functions take their arguments, and without the optional ones") {
  const Functions functions;
  for (const Function& f : functions.all()) {
    std::vector<const diopter_tensor*> all, needed;
    for (const Argument& a : f.arguments) {
      all.push_back(a.array);
      needed.push_back(a.optional ? nullptr : all.back());
    }
    INFO(f.name << ": " << diopter_last_error());
    CHECK(f.call(all) == DIOPTER_OK);
    CHECK(f.call(needed) == DIOPTER_OK);
  }
}

TEST_CASE("C interface: an array that cannot be is refused by its name") {
  const Functions functions;
  for (const Function& f : functions.all()) {
    std::vector<const diopter_tensor*> right;
    for (const Argument& a : f.arguments) right.push_back(a.array);
    for (std::size_t i = 0; i < right.size(); ++i) {
      const Argument& argument = f.arguments[i];
      const std::string begin = f.name + ": " + argument.name + ": ";
      auto with = right;
      if (!argument.optional) {
        with[i] = nullptr;
        require_refused(f.call(with), {begin + "is null, must be "});
      }
      for (const Fault& fault : faults()) {
        diopter_tensor tensor = *right[i];
        if (fault.words == "contiguous" && c_api::element_count(tensor) == 1) continue;  // has no gap then
        std::vector<std::int64_t> shape(tensor.shape, tensor.shape + tensor.ndim), strides(shape.size(), 1);
        for (std::size_t d = shape.size() - 1; d-- > 0;) strides[d] = strides[d + 1] * shape[d + 1];
        tensor.shape = shape.data();
        fault.make(tensor, shape, strides);
        with[i] = &tensor;
        require_refused(f.call(with), {begin, fault.words});
      }
      if (right[i]->type_bits > 8) {
        diopter_tensor tensor = *right[i];
        tensor.byte_offset = 1;
        with[i] = &tensor;
        require_refused(f.call(with), {begin + "its data are not aligned"});
      }
    }
  }
}

// Sizes that one array may have make another array wrong: then that one is named.
TEST_CASE("C interface: arrays of sizes that do not go together are refused") {
  const Functions functions;
  for (const Function& f : functions.all()) {
    for (std::size_t i = 0; i < f.arguments.size(); ++i) {
      for (int dimension = 0; dimension < f.arguments[i].array->ndim; ++dimension) {
        for (const std::int64_t size : {std::int64_t{0}, std::int64_t{1}, std::numeric_limits<std::int64_t>::max()}) {
          std::vector<const diopter_tensor*> with;
          for (const Argument& a : f.arguments) with.push_back(a.array);
          diopter_tensor tensor = *with[i];
          std::vector<std::int64_t> shape(tensor.shape, tensor.shape + tensor.ndim);
          if (shape[static_cast<std::size_t>(dimension)] == size) continue;
          shape[static_cast<std::size_t>(dimension)] = size;
          tensor.shape = shape.data();
          with[i] = &tensor;
          INFO(f.name << ": " << f.arguments[i].name << ", dimension " << dimension << " of " << size);
          const int status = f.call(with);
          // Rows of any length, room for fewer results and fewer pictures in a list are fine.
          const std::string changed = f.name + " " + f.arguments[i].name + " " + std::to_string(dimension);
          const bool free = changed == "diopter_top_k values 1" || changed == "diopter_batched_nms keep 1" ||
                            changed == "diopter_coco_metrics images 0";
          if (status == DIOPTER_OK && free && size < 2) continue;
          require_refused(status, {f.name + ": ", ": "});
        }
      }
    }
  }
}

TEST_CASE("C interface: arrays on a GPU, and on two devices") {
  HostArray values = filled({2, 5}, 1.0f), indices = filled<std::int32_t>({2, 3}, 0), top = filled({2, 3}, 0.0f);
  HostArray counts = filled<std::int32_t>({2}, 2);
  const auto call = [&] { return diopter_top_k(values, 0, indices, top, counts, nullptr); };
  top.tensor.device_type = 2;
#ifdef DIOPTER_WITH_CUDA
  require_refused(call(), {"top: lies on the GPU, must lie where values does"});
  values.tensor.device_type = 2, values.tensor.device_id = 1;
  require_refused(call(), {"values: lies on GPU 1, must be 0"});
#else
  require_refused(call(), {"top: lies on a GPU, and this library was built without CUDA"});
#endif
  HostArray numbers = filled({12}, 0.0), ids = filled<std::int64_t>({0}, 0), boxes = filled({0, 4}, 0.0);
  HostArray scores = filled({0}, 0.0);
  numbers.tensor.device_type = 2;
  require_refused(diopter_coco_metrics(ids, ids, boxes, nullptr, nullptr, nullptr, ids, ids, boxes, scores, numbers),
                  {"numbers: lies on a GPU, must be memory of the host"});
}

TEST_CASE("C interface: strides of a row-major array are taken, and an offset to its first element") {
  HostArray values({3, 1, 2}, std::vector<float>{0, 0, 9, 3, 4, 8});
  std::int64_t shape[] = {2, 2}, strides[] = {2, 1};
  values.tensor.ndim = 2;
  values.tensor.shape = shape;
  values.tensor.strides = strides;
  values.tensor.byte_offset = 8;
  HostArray indices = filled<std::int32_t>({2, 1}, 7), top = filled({2, 1}, 0.0f),
            counts = filled<std::int32_t>({2}, 0);
  REQUIRE(diopter_top_k(values, 0, indices, top, counts, nullptr) == DIOPTER_OK);
  CHECK(top.values<float>() == std::vector<float>{9, 8});
  CHECK(indices.values<std::int32_t>() == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("C interface: versions") {
  CHECK(diopter_abi_version() == DIOPTER_ABI_VERSION);
  CHECK(std::string(diopter_version()).find('.') != std::string::npos);
}
