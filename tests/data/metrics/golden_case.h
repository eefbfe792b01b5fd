// The cases of tests/golden/fixtures/detection_errors.json and coco_arrays.json.
#pragma once

#include <string>
#include <vector>

#include "data/metrics/coco_metrics.h"
#include "generated/source_dir.h"
#include "kernels/base/json.h"
#include "tests/data/make_dataset.h"
#include "tests/support/files.h"

namespace diopter::test {

inline nlohmann::json golden_cases(const std::string& name = "detection_errors") {
  return parse_json(read_bytes(DIOPTER_SOURCE_DIR "/tests/golden/fixtures/" + name + ".json"));
}

struct GoldenCase {
  Dataset truth;
  std::vector<Detection> detections;
};

inline GoldenCase read_golden_case(const nlohmann::json& golden) {
  const auto rect = [](const nlohmann::json& box) { return Rect{box.at(0), box.at(1), box.at(2), box.at(3)}; };
  std::vector<std::int64_t> images, categories;
  for (const nlohmann::json& image : golden.at("images")) images.push_back(image.at("id"));
  for (const nlohmann::json& category : golden.at("categories")) categories.push_back(category.at("id"));
  std::vector<Truth> truths;
  for (const nlohmann::json& a : golden.at("annotations")) {
    truths.push_back({a.at("id"), a.at("image_id"), a.at("category_id"), rect(a.at("bbox")), a.at("area"),
                      a.at("iscrowd").get<int>() != 0});
  }
  GoldenCase result{make_dataset(images, categories, truths), {}};
  for (const nlohmann::json& d : golden.at("detections")) {
    result.detections.push_back({d.at("image_id"), d.at("category_id"), rect(d.at("bbox")), d.at("score")});
  }
  return result;
}

}  // namespace diopter::test
