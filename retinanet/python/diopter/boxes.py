"""Overlaps, suppression and losses of boxes x1, y1, x2, y2, float32, contiguous; names and arguments are torchvision's."""

from __future__ import annotations

import functools
from typing import Optional, Tuple

from . import _kernels
from ._arrays import Array, Library, library_of, scale_of


def box_iou(boxes1: Array, boxes2: Array) -> Array:
    """IoU [n, m] of each of boxes1 [n, 4] with each of boxes2 [m, 4]; 0 for two empty boxes."""
    library = library_of("boxes1", boxes1)
    library_of("boxes2", boxes2)
    ious = library.empty(boxes1, (*boxes1.shape[:1], *boxes2.shape[:1]), "float32")
    _kernels.box_iou(boxes1, boxes2, ious, library.stream(boxes1))
    return library.give(ious)


def nms(boxes: Array, scores: Array, iou_threshold: float) -> Array:
    """Greedy non-maximum suppression of boxes [n, 4] with scores [n].

    Gives the indices int64 [k] of the boxes that are kept, by descending score, equal ones by index: a box is kept
    unless a kept one has an IoU above `iou_threshold` with it.
    """
    return _suppressed(boxes, scores, None, iou_threshold)


def batched_nms(boxes: Array, scores: Array, idxs: Array, iou_threshold: float) -> Array:
    """The same; boxes suppress those of the same class only: idxs [n], integers that int32 has."""
    library_of("idxs", idxs)
    return _suppressed(boxes, scores, idxs, iou_threshold)


def _suppressed(boxes: Array, scores: Array, idxs: Optional[Array], iou_threshold: float) -> Array:
    library = library_of("boxes", boxes)
    library_of("scores", scores)
    kept = _kernels.nms_of_host(boxes, scores, idxs, iou_threshold, library.make)
    if kept is None:
        kept = _suppressed_on_gpu(library, boxes, scores, idxs, iou_threshold)
    return library.give(kept)


def _suppressed_on_gpu(
    library: Library, boxes: Array, scores: Array, idxs: Optional[Array], iou_threshold: float
) -> Array:
    if boxes.ndim != 2 or scores.ndim != 1:
        raise ValueError(f"boxes, scores: have {boxes.ndim} and {scores.ndim} dimensions, must be [n, 4] and [n]")
    n = boxes.shape[0]
    labels = None if idxs is None else library.integers("idxs", idxs, "int32").reshape(1, -1)
    keep, kept = library.empty(boxes, (1, n), "int32"), library.empty(boxes, (1,), "int32")
    if library.torch:
        boxes, scores = boxes.detach(), scores.detach()
    _kernels.batched_nms(boxes.reshape(1, n, -1) if n else boxes.reshape(1, 0, 4), scores.reshape(1, -1), labels,
                         iou_threshold, keep, kept, library.stream(boxes))  # fmt: skip
    return library.integers("keep", keep[0, : int(kept[0])], "int64")


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
    library = library_of("boxes1", boxes1)
    library_of("boxes2", boxes2)
    count = boxes1.shape[0] if len(boxes1.shape) else 0
    scale = None if reduction == "none" else scale_of(reduction, count)
    if library.torch and library.grad_enabled() and (boxes1.requires_grad or getattr(boxes2, "requires_grad", False)):
        kernel = functools.partial(_pair_loss_and_gradients, library, loss, eps)
        return library.autograd.BoxPairLoss.apply(boxes1, boxes2, kernel, scale)
    result, _, _ = _pair_loss_and_gradients(library, loss, eps, boxes1, boxes2, scale, False, False)
    return library.give(result) if scale is None else library.number(result)


def _pair_loss_and_gradients(
    library: Library, loss: str, eps: float, boxes1: Array, boxes2: Array, scale: Optional[float], of_first: bool,
    of_second: bool
) -> Tuple[Array, Optional[Array], Optional[Array]]:  # fmt: skip
    """Losses [n], or `scale` times their sum; their gradients [n, 4] with respect to the boxes where they are wanted."""
    made = _kernels.box_pair_loss_of_host(loss, eps, boxes1, boxes2, scale, of_first, of_second, library.make)
    if made is not None:
        return made
    stream, losses = library.stream(boxes1), library.empty(boxes1, boxes1.shape[:1], "float32")
    first, second = (
        library.empty(boxes, boxes.shape, "float32") if wanted else None
        for boxes, wanted in ((boxes1, of_first), (boxes2, of_second))
    )
    _kernels.box_pair_loss(loss, eps, boxes1, boxes2, losses, first, stream)
    if of_second:  # the losses are the same for boxes that are exchanged
        _kernels.box_pair_loss(loss, eps, boxes2, boxes1, losses, second, stream)
    return losses if scale is None else losses.sum() * scale, first, second
