// Small data sets for tests of metrics.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace diopter::test {

struct Truth {
  std::int64_t id, image, category;
  Rect rect;
  double area;
  bool crowd = false;
};

/// A data set with categories in ascending order.
inline Dataset make_dataset(const std::vector<std::int64_t>& images, const std::vector<std::int64_t>& categories,
                            const std::vector<Truth>& truths) {
  Dataset dataset;
  for (const std::int64_t id : categories) dataset.categories.push_back({.id = id, .name = "c" + std::to_string(id)});
  for (const std::int64_t id : images) dataset.images.push_back({.id = id, .file = "", .name = "", .annotations = {}});
  for (const Truth& truth : truths) {
    const auto category = std::find(categories.begin(), categories.end(), truth.category) - categories.begin();
    const auto image = std::find(images.begin(), images.end(), truth.image) - images.begin();
    dataset.images.at(image).annotations.push_back({.id = truth.id,
                                                    .category = static_cast<int>(category),
                                                    .rect = truth.rect,
                                                    .area = truth.area,
                                                    .crowd = truth.crowd});
  }
  return dataset;
}

struct Scene {
  Dataset truth;
  std::vector<Detection> detections;
};

/// Objects and detections that find most of them, more or less well; scores differ within an image and category.
inline Scene make_scene(int images, int categories, int objects) {
  std::vector<std::int64_t> image_ids, category_ids;
  for (int i = 0; i < images; ++i) image_ids.push_back(1000 - 10 * i);
  for (int k = 0; k < categories; ++k) category_ids.push_back(10 * k + 1);
  std::vector<Truth> truths;
  Scene scene;
  for (int i = 0; i < objects; ++i) {
    const Rect rect = {7.0 * (i % 11), 5.0 * (i % 13), 10.0 + i % 50, 12.0 + i % 90};
    const std::int64_t image = image_ids[i * 7 % images], category = category_ids[i % categories];
    truths.push_back({i + 1, image, category, rect, rect.w * rect.h, i % 17 == 5});
    scene.detections.push_back(
        {image, category, {rect.x + i % 7, rect.y, rect.w, rect.h}, (i * 37 % objects) / 1024.0});
    if (i % 3 == 0) scene.detections.push_back({image, category, {90, 90, 20, 20}, (i * 41 % objects + 0.5) / 1024.0});
  }
  scene.truth = make_dataset(image_ids, category_ids, truths);
  return scene;
}

}  // namespace diopter::test
