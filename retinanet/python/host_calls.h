// Calls for arrays in the host's memory that take integers of any type, lists of arrays, or give as many elements as
// there turn out to be: in Python each would be a dozen calls of the array library, and cost more than the kernel. All
// give None where the first array lies on a GPU. make: as for Array::empty. Throw ValueError and TypeError that name
// the argument.
#pragma once

#include <nanobind/nanobind.h>

#include <optional>

#include "retinanet/c_api/diopter.h"

namespace diopter::python {

/// Indices of the boxes that are kept, int64 [k]; idxs: classes, or None.
nanobind::object nms_of_host(nanobind::handle boxes, nanobind::handle scores, nanobind::handle idxs,
                             float iou_threshold, nanobind::handle make);

/// Labels and boxes int32 [images, anchors], positives int32 [images], of the boxes [n, 4] and labels [n] of each
/// image.
nanobind::object match_of_host(const diopter_anchor_grid& grid, std::int64_t anchors, const diopter_match_rule& rule,
                               const nanobind::list& boxes, const nanobind::list& labels, nanobind::handle make);

/// Losses [n] of pairs of boxes, or scale times their sum, added in double, without dimensions; the gradients [n, 4] of
/// the losses with respect to boxes1 and to boxes2, None for those that are not wanted. All float32.
nanobind::object box_pair_loss_of_host(const char* loss, float epsilon, nanobind::handle boxes1,
                                       nanobind::handle boxes2, std::optional<float> scale, bool of_first,
                                       bool of_second, nanobind::handle make);

}  // namespace diopter::python
