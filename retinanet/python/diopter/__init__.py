"""Diopter's kernels and detectors for Python.

Functions take arrays of NumPy, PyTorch, JAX, CuPy and whatever else speaks DLPack, without a copy, and give arrays of the
same library on the same device. Those that have a gradient take part in torch.autograd.
"""

from . import losses
from ._kernels import __version__
from .boxes import (
    batched_nms,
    box_iou,
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
    nms,
)
from .detector import Detections, Detector
from .evaluation import coco_metrics
from .losses import sigmoid_focal_loss
from .matching import AnchorGrid, Matches

__all__ = [
    "AnchorGrid",
    "Detections",
    "Detector",
    "Matches",
    "__version__",
    "batched_nms",
    "box_iou",
    "coco_metrics",
    "complete_box_iou_loss",
    "distance_box_iou_loss",
    "generalized_box_iou_loss",
    "losses",
    "nms",
    "sigmoid_focal_loss",
]
