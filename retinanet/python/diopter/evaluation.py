"""COCO's metrics of arrays, equal to pycocotools'."""

from __future__ import annotations

from typing import Dict, Optional

from . import _kernels
from ._arrays import Array

_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def coco_metrics(
    image_ids: Array,
    category_ids: Array,
    boxes: Array,
    found_image_ids: Array,
    found_category_ids: Array,
    found_boxes: Array,
    scores: Array,
    *,
    areas: Optional[Array] = None,
    crowds: Optional[Array] = None,
    images: Optional[Array] = None,
) -> Dict[str, float]:
    """AP, AP50, ..., ARl by name; -1 where there is nothing to average.

    image_ids, category_ids, boxes    of the objects: [n] integers, [n] integers, [n, 4] x, y, width, height in pixels
    found_...                         the same of the detections
    scores                            [detections]
    areas                             [n], by which objects are small or large; without: width * height
    crowds                            [n] bool: ignored regions
    images                            ids of all pictures, of those without objects, too; without: those that occur

    Arrays of another type or on a GPU are copied.
    """
    import numpy

    def host(array: Array, dtype: type) -> Optional[Array]:
        if array is None:
            return None
        if hasattr(array, "cpu"):  # PyTorch
            array = array.detach().cpu()
        return numpy.ascontiguousarray(array, dtype=dtype)

    def box_array(array: Array) -> Array:
        boxes = host(array, numpy.float64)
        return boxes.reshape(0, 4) if boxes.size == 0 else boxes

    numbers = numpy.empty(len(_NAMES))
    _kernels.coco_metrics(
        host(image_ids, numpy.int64),
        host(category_ids, numpy.int64),
        box_array(boxes),
        host(areas, numpy.float64),
        host(crowds, numpy.bool_),
        host(images, numpy.int64),
        host(found_image_ids, numpy.int64),
        host(found_category_ids, numpy.int64),
        box_array(found_boxes),
        host(scores, numpy.float64),
        numbers,
    )
    return dict(zip(_NAMES, numbers.tolist()))
