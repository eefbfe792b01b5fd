// One list of detections out of those of a picture's views, which overlap.
//
// Two views see the same pixels where they overlap, so what they say of an object can be compared there: detections of
// two views are taken for the same object when their parts within the overlap agree. That way an object which one view
// cuts is recognised in the one that has all of it, and neighbours stay two. Dropping what the neighbour holds whole,
// and the intersection over the smaller area for boxes that a border cuts, are customary for sliced inference (Akyon et
// al., Slicing aided hyper inference, 2022: "IOS"); comparing within the overlap is our own.
#pragma once

#include <vector>

#include "data/dataset.h"
#include "data/tiles.h"

namespace diopter {

struct ViewDetections {
  Window window;
  std::vector<DetectedBox> boxes;  // in pixels of the picture
};

/// A box that comes this close to a border of its view inside the picture, as a share of the view's side, is cut by it.
inline constexpr float kCutMargin = 0.01f;
/// Intersection over the smaller area, within the overlap, from which a cut box and another one are the same object.
inline constexpr float kSameOfCut = 0.5f;

/// Detections of the picture, score descending. The views cover it. With class_aware only detections of one class can
/// be the same object.
///   1. Uncut boxes: greedily by score, those that agree with a kept one of another view go (IoU > iou).
///   2. Cut boxes that agree with a kept uncut one go (intersection over the smaller area > kSameOfCut).
///   3. The other cut boxes that agree, directly or through others, are parts of one object: their hull, with score and
///      class of the best.
/// The boxes of one view are not compared: they have been through NMS. Empty boxes, as clipping leaves of what was
/// found in a batch's padding, go. With one view all stay as they are.
std::vector<DetectedBox> merge_views(const std::vector<ViewDetections>& views, float iou, bool class_aware);

}  // namespace diopter
