"""Boxes to match with anchors, among them ties, boxes smaller than every anchor and pictures without boxes."""

import numpy as np

import formula

HEIGHT, WIDTH = 256, 320


def random_boxes(name, count, smallest, largest, height=HEIGHT, width=WIDTH):
    """float32 [count, 4] within the picture."""
    u = (formula.uniform(name, 4 * count).reshape(count, 4).astype(np.float64) + 1) / 2
    w, h = smallest + u[:, 2] * (largest - smallest), smallest + u[:, 3] * (largest - smallest)
    x, y = u[:, 0] * (width - w), u[:, 1] * (height - h)
    return np.stack([x, y, x + w, y + h], axis=1).astype(np.float32)


def all_scenes():
    """name -> float32 [boxes, 4]"""
    scattered = random_boxes("scene.scattered", 12, 20, 200)
    return {
        "scattered": scattered,
        "duplicates": np.concatenate([scattered[:4], scattered[2:6], scattered[:1]]),
        # Whole coordinates: an anchor itself, boxes half way between pixels of P3 and P4, and twins of them.
        "ties": np.array([[48, 48, 80, 80], [52, 52, 84, 84], [104, 100, 168, 164], [200, 40, 232, 72], [204, 40, 236, 72],
                          [120, 120, 184, 152], [120, 120, 152, 184], [100, 60, 132, 92], [100, 60, 132, 92]], np.float32),
        "tiny": random_boxes("scene.tiny", 10, 1, 9),
        "long": np.array([[10, 100, 310, 108], [150, 5, 156, 250], [0, 0, 320, 256], [300, 240, 320, 256]], np.float32),
        "crowded": random_boxes("scene.crowded", 60, 16, 60),
        "empty": np.zeros((0, 4), np.float32),
    }


def labels_of(boxes, classes):
    """int64 [boxes]: a class for each box."""
    return (np.arange(len(boxes)) * 5 + 2) % classes
