#include "tools/detect/results.h"

#include "kernels/base/json.h"
namespace diopter {

std::string json_text(const std::vector<PictureDetections>& pictures, const LoadedModel& model) {
  nlohmann::ordered_json results = nlohmann::ordered_json::array();
  for (const PictureDetections& picture : pictures) {
    for (const DetectedBox& d : picture.boxes) {
      results.push_back({{"image_id", picture.id},
                         {"file_name", picture.name},
                         {"category_id", model.category_ids[d.label]},
                         {"category", model.classes[d.label]},
                         {"bbox", {d.box.x1, d.box.y1, d.box.x2 - d.box.x1, d.box.y2 - d.box.y1}},
                         {"score", d.score}});
    }
  }
  // File names that are no UTF-8 are written with replacement characters.
  return json_text(results, 1) + "\n";
}

}  // namespace diopter
