// COCO's metrics of the C interface.
#include <algorithm>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "retinanet/c_api/arrays.h"
#include "retinanet/c_api/call.h"

namespace diopter::c_api {

namespace {

std::vector<std::int64_t> sorted_once(std::vector<std::int64_t> ids) {
  std::sort(ids.begin(), ids.end());
  ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
  return ids;
}

/// Place in sorted ids; -1 where it is not among them.
std::int64_t place_of(const std::vector<std::int64_t>& ids, std::int64_t id) {
  const auto at = std::lower_bound(ids.begin(), ids.end(), id);
  return at != ids.end() && *at == id ? at - ids.begin() : -1;
}

Rect rect_at(const double* boxes, std::int64_t i) {
  return {boxes[4 * i], boxes[4 * i + 1], boxes[4 * i + 2], boxes[4 * i + 3]};
}

/// Arrays of the ground truth or of the detections.
struct Objects {
  std::int64_t count = 0;
  const std::int64_t* images = nullptr;
  const std::int64_t* categories = nullptr;
  const double* boxes = nullptr;
};

std::vector<std::int64_t> list_of(const std::int64_t* ids, std::int64_t count) {
  return count > 0 ? std::vector<std::int64_t>(ids, ids + count) : std::vector<std::int64_t>();
}

void coco_metrics_of(const diopter_tensor* image_ids, const diopter_tensor* category_ids, const diopter_tensor* boxes,
                     const diopter_tensor* areas, const diopter_tensor* crowds, const diopter_tensor* images,
                     const diopter_tensor* found_image_ids, const diopter_tensor* found_category_ids,
                     const diopter_tensor* found_boxes, const diopter_tensor* scores, const diopter_tensor* numbers) {
  Arrays arrays = Arrays::of_host();
  Objects truth, found;
  truth.images = arrays.get<std::int64_t>("image_ids", image_ids, {kAny});
  truth.count = image_ids->shape[0];
  truth.categories = arrays.get<std::int64_t>("category_ids", category_ids, {truth.count});
  truth.boxes = arrays.get<double>("boxes", boxes, {truth.count, 4});
  const double* area = arrays.get_optional<double>("areas", areas, {truth.count});
  const auto* crowd = static_cast<const std::uint8_t*>(
      crowds ? arrays.get("crowds", crowds, {kElementType<std::uint8_t>, kElementType<bool>}, {truth.count}) : nullptr);
  const auto* pictures = arrays.get_optional<std::int64_t>("images", images, {kAny});
  found.images = arrays.get<std::int64_t>("found_image_ids", found_image_ids, {kAny});
  found.count = found_image_ids->shape[0];
  found.categories = arrays.get<std::int64_t>("found_category_ids", found_category_ids, {found.count});
  found.boxes = arrays.get<double>("found_boxes", found_boxes, {found.count, 4});
  const double* score = arrays.get<double>("scores", scores, {found.count});
  double* out = arrays.get<double>("numbers", numbers, {std::ssize(kCocoNumbers)});

  std::vector<std::int64_t> ids = list_of(truth.images, truth.count);
  if (images) {
    ids = list_of(pictures, images->shape[0]);
  } else {
    const std::vector<std::int64_t> more = list_of(found.images, found.count);
    ids.insert(ids.end(), more.begin(), more.end());
  }
  ids = sorted_once(ids);
  const std::vector<std::int64_t> classes = sorted_once(list_of(truth.categories, truth.count));
  Dataset dataset;
  for (const std::int64_t id : classes) dataset.categories.push_back({id, std::to_string(id)});
  for (const std::int64_t id : ids)
    dataset.images.push_back({.id = id, .file = {}, .name = std::to_string(id), .annotations = {}});
  for (std::int64_t i = 0; i < truth.count; ++i) {
    const std::int64_t image = place_of(ids, truth.images[i]);
    require(image >= 0, "image_ids: ", truth.images[i], " of object ", i, " is not in images");
    const Rect rect = rect_at(truth.boxes, i);
    dataset.images[static_cast<std::size_t>(image)].annotations.push_back(
        {.id = i + 1,  // 0 is never matched
         .category = static_cast<int>(place_of(classes, truth.categories[i])),
         .rect = rect,
         .area = area ? area[i] : rect.w * rect.h,
         .crowd = crowd && crowd[i] != 0});
  }
  std::vector<Detection> detections;
  detections.reserve(static_cast<std::size_t>(found.count));
  for (std::int64_t i = 0; i < found.count; ++i) {
    require(place_of(ids, found.images[i]) >= 0, "found_image_ids: ", found.images[i], " of detection ", i,
            " is not in images");
    detections.push_back({found.images[i], found.categories[i], rect_at(found.boxes, i), score[i]});
  }
  const std::vector<double> values = diopter::list_of(coco_metrics(dataset, detections).stats);
  std::copy(values.begin(), values.end(), out);
}

}  // namespace

}  // namespace diopter::c_api

int diopter_coco_metrics(const diopter_tensor* image_ids, const diopter_tensor* category_ids,
                         const diopter_tensor* boxes, const diopter_tensor* areas, const diopter_tensor* crowds,
                         const diopter_tensor* images, const diopter_tensor* found_image_ids,
                         const diopter_tensor* found_category_ids, const diopter_tensor* found_boxes,
                         const diopter_tensor* scores, const diopter_tensor* numbers) {
  return diopter::c_api::guarded(__func__, [&] {
    diopter::c_api::coco_metrics_of(image_ids, category_ids, boxes, areas, crowds, images, found_image_ids,
                                    found_category_ids, found_boxes, scores, numbers);
  });
}
