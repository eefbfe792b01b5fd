// Candidates of a batch: the best of every level, their boxes, and those that survive NMS. Detection ranks logits, the
// selection of hard examples losses.
#pragma once

#include "engine/ops.h"
#include "kernels/detection/anchors.h"
#include "kernels/detection/candidates/nms.h"

namespace diopter {

struct CandidateRule {
  float min_value;  // candidates are ranked by values above this one
  int top_k;        // per image and level, >= 1
  bool sigmoid;     // whether a candidate's score is the sigmoid of its value or the value itself
  float nms_iou;
  bool class_aware;  // boxes of different classes do not suppress each other
  int max_kept;      // survivors per image, at most
};

/// On the device of the heads; capacity = levels * top_k. See kernels/detection/candidates/{top_k,nms}.h.
struct Candidates {
  Tensor indices, counts;        // [images, levels, top_k], [images, levels] i32: within the level, best first
  Tensor boxes, scores, labels;  // [images, capacity, 4], [images, capacity] f32, [images, capacity] i32
  Tensor keep, kept;             // [images, max_kept], [images] i32: survivors, as places of the capacity, best first
};

/// values [rows, cells * classes], what candidates are ranked by; deltas [rows, cells * 4]; image_sizes [images, 2]:
/// width and height that boxes are clipped to, or undefined. Nothing waits for the device, and no gradient flows.
Candidates find_candidates(const CandidateRule& rule, const AnchorGrid& grid, int classes, const Pyramid& values,
                           const Pyramid& deltas, const Tensor& image_sizes = {});

/// Room for the survivors of a batch side by side, on a device: KeptBox [images, max_kept], as bytes.
Tensor room_for_kept(int images, int max_kept, Device device);
/// Writes the survivors there. Nothing waits for the device.
void gather_kept(const Candidates& candidates, const Tensor& kept);

}  // namespace diopter
