"""Overlaps, suppression and losses of boxes x1, y1, x2, y2, float32, contiguous; names and arguments are torchvision's."""

from __future__ import annotations

from . import _kernels
from ._arrays import Array, Outputs, check_is_array, check_reduction, is_torch, needs_gradient, reduced, stream_of


def box_iou(boxes1: Array, boxes2: Array) -> Array:
    """IoU [n, m] of each of boxes1 [n, 4] with each of boxes2 [m, 4]; 0 for two empty boxes."""
    check_is_array("boxes1", boxes1)
    check_is_array("boxes2", boxes2)
    outputs = Outputs(boxes1)
    ious = outputs.empty((boxes1.shape[0] if boxes1.ndim else 0, boxes2.shape[0] if boxes2.ndim else 0))
    _kernels.box_iou(boxes1, boxes2, ious, stream_of(boxes1))
    return outputs.give(ious)


def nms(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """Greedy non-maximum suppression of boxes [n, 4] with scores [n].

    Gives the indices int64 [k] of the boxes that are kept, by descending score, equal ones by index: a box is kept
    unless a kept one has an IoU above `iou_threshold` with it.
    """
    return _suppressed(boxes, scores, None, iou_threshold)


def batched_nms(boxes: Array, scores: Array, idxs: Array, iou_threshold: float) -> Array:
    """The same; boxes suppress those of the same class only: idxs [n], integers that int32 has."""
    check_is_array("idxs", idxs)
    return _suppressed(boxes, scores, idxs, iou_threshold)


def _suppressed(boxes: Array, scores: Array, idxs: Array, iou_threshold: float) -> Array:
    check_is_array("boxes", boxes)
    check_is_array("scores", scores)
    outputs = Outputs(boxes)
    if boxes.ndim != 2 or scores.ndim != 1:
        raise ValueError(f"boxes, scores: have {boxes.ndim} and {scores.ndim} dimensions, must be [n, 4] and [n]")
    n = boxes.shape[0]
    labels = None if idxs is None else outputs.integers("idxs", idxs, "int32").reshape(1, -1)
    keep, kept = outputs.empty((1, n), "int32"), outputs.empty((1,), "int32")
    stream = stream_of(boxes)
    if is_torch(boxes):
        boxes, scores = boxes.detach(), scores.detach()
    _kernels.batched_nms(boxes.reshape(1, n, -1) if n else boxes.reshape(1, 0, 4), scores.reshape(1, -1), labels,
                         iou_threshold, keep, kept, stream)  # fmt: skip
    return outputs.give(outputs.integers("keep", keep[0, : int(kept[0])], "int64"))


def generalized_box_iou_loss(boxes1: Array, boxes2: Array, reduction: str = "none", eps: float = 1e-7) -> Array:
    """GIoU loss (Rezatofighi et al. 2019) of boxes1 [n, 4] with boxes2 [n, 4]: [n], or one number ("mean", "sum").

    Differentiable in PyTorch. The mean of no boxes is 0.
    """
    return _pair_loss("giou", boxes1, boxes2, reduction, eps)


def distance_box_iou_loss(boxes1: Array, boxes2: Array, reduction: str = "none", eps: float = 1e-7) -> Array:
    """The same of DIoU (Zheng et al. 2020)."""
    return _pair_loss("diou", boxes1, boxes2, reduction, eps)


def complete_box_iou_loss(boxes1: Array, boxes2: Array, reduction: str = "none", eps: float = 1e-7) -> Array:
    """The same of CIoU (Zheng et al. 2020); the factor of its aspect term is a constant for the gradient."""
    return _pair_loss("ciou", boxes1, boxes2, reduction, eps)


def _pair_loss(loss: str, boxes1: Array, boxes2: Array, reduction: str, eps: float) -> Array:
    check_is_array("boxes1", boxes1)
    check_is_array("boxes2", boxes2)
    check_reduction(reduction)
    stream = stream_of(boxes1)

    def kernel(first: Array, second: Array, losses: Array, gradient: Array) -> None:
        _kernels.box_pair_loss(loss, eps, first, second, losses, gradient, stream)

    if needs_gradient(boxes1, boxes2):
        from ._autograd import BoxPairLoss

        losses = BoxPairLoss.apply(boxes1, boxes2, kernel)
    else:
        outputs = Outputs(boxes1)
        losses = outputs.empty(boxes1.shape[:1])
        kernel(boxes1, boxes2, losses, None)
        losses = outputs.give(losses)
    if reduction == "mean" and losses.shape[0] == 0:
        return losses.sum()
    return reduced(losses, reduction)
