"""Anchors of all five levels: torchvision's own, and Detectron2's rule written down again."""

import math

import numpy as np
import torch
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import _default_anchorgen

import formula
from fixture import Fixture

SIZES = [(800, 1088), (800, 1344), (640, 640)]


def grid_sizes(height, width):
    """Of P3 .. P7: every level halves, rounding up."""
    return [(-(-height // 2**level), -(-width // 2**level)) for level in range(3, 8)]


def torchvision_anchors(height, width):
    """float32 [anchors, 4]"""
    images = ImageList(torch.zeros(1, 3, height, width), [(height, width)])
    maps = [torch.zeros(1, 1, h, w) for h, w in grid_sizes(height, width)]
    return _default_anchorgen()(images, maps)[0].numpy()


def detectron2_anchors(height, width):
    """DefaultAnchorGenerator: float cells of (size, ratio), sizes outermost; strides 8 .. 128; offset 0."""
    levels = []
    for level, (h, w) in zip(range(3, 8), grid_sizes(height, width)):
        stride = 2**level
        cells = []
        for scale in (1, 2 ** (1 / 3), 2 ** (2 / 3)):
            area = (4 * stride * scale) ** 2
            for ratio in (0.5, 1.0, 2.0):
                cell_width = math.sqrt(area / ratio)
                cell_height = ratio * cell_width
                cells.append([-cell_width / 2, -cell_height / 2, cell_width / 2, cell_height / 2])
        y, x = np.meshgrid(np.arange(h, dtype=np.float32) * stride, np.arange(w, dtype=np.float32) * stride, indexing="ij")
        shifts = np.stack([x, y, x, y], axis=-1).reshape(-1, 1, 4).astype(np.float32)
        levels.append((shifts + np.array(cells, np.float32)).reshape(-1, 4))
    return np.concatenate(levels)


def make(folder):
    fixture = Fixture("anchors of all levels, exactly: their number and a checksum of their bits; some of them in clear")
    for height, width in SIZES:
        for rule, anchors in [("torchvision", torchvision_anchors(height, width)),
                              ("detectron2", detectron2_anchors(height, width))]:
            name = f"{rule}.{height}x{width}"
            assert anchors.dtype == np.float32
            fixture.scalars[name] = {"count": len(anchors), "checksum": formula.checksum(anchors)}
            fixture.put(name, anchors[formula.sample_indices(len(anchors))[:64]])
    fixture.write(folder, "anchors")
