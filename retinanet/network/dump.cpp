#include "retinanet/network/dump.h"

#include "retinanet/network/input.h"

namespace diopter {

std::vector<std::vector<DetectedBox>> detect_with_dump(const RetinaNet& model, const Batch& batch,
                                                       const std::string& prefix, Checkpoint& dump) {
  const auto put = [&](const std::string& name, const Tensor& tensor) {
    dump.tensors[prefix + name] = Tensor::from(tensor.shape(), tensor.cast(DType::f32).to_vector<float>());
  };
  RetinaNet::Features features;
  const Variable input = input_of(batch, model.device());
  const RetinaNet::Output output = model(input, &features);
  const auto found = detections_of(model, output, batch);

  const int min_level = model.config().model.min_level;
  put("input", input.value());
  for (std::size_t i = 0; i < features.maps.size(); ++i) {
    put("C" + std::to_string(min_level + static_cast<int>(i)), features.maps[i].value());
  }
  for (int l = 0; l < features.pyramid.levels.count; ++l) {
    const std::string level = "P" + std::to_string(min_level + l);
    put(level, features.pyramid.level(l));
    put("logits." + level, output.logits.level(l));
    put("deltas." + level, output.deltas.level(l));
  }

  std::vector<float> boxes, scores;
  std::vector<std::int32_t> labels, pictures;
  for (int n = 0; n < batch.images; ++n) {
    for (const DetectedBox& d : found[n]) {
      boxes.insert(boxes.end(), {d.box.x1, d.box.y1, d.box.x2, d.box.y2});
      scores.push_back(d.score);
      labels.push_back(d.label);
      pictures.push_back(n);
    }
  }
  const std::int64_t count = static_cast<std::int64_t>(scores.size());
  put("sizes", Tensor::from({batch.images, 2}, batch.sizes));
  put("original_sizes", Tensor::from({batch.images, 2}, batch.original_sizes));
  put("boxes", Tensor::from({count, 4}, boxes));
  put("scores", Tensor::from({count}, scores));
  dump.tensors[prefix + "labels"] = Tensor::from({count}, labels);
  dump.tensors[prefix + "pictures"] = Tensor::from({count}, pictures);
  return found;
}

}  // namespace diopter
