"""Trained detectors."""

from __future__ import annotations

import os
from typing import List, NamedTuple, Union

from . import _kernels
from ._arrays import Array


class Detections(NamedTuple):
    """NumPy arrays, by descending score: boxes [n, 4] float32 x1, y1, x2, y2 in pixels of the picture; scores [n] float32;
    labels [n] int32, indices into the detector's classes"""

    boxes: Array
    scores: Array
    labels: Array


class Detector:
    """A checkpoint or run folder, of any kind that `diopter detect` takes.

    device    "cpu", "cuda" or "auto"

    Calls from several threads wait for each other. A context manager: leaving it closes the detector.
    """

    def __init__(self, checkpoint: Union[str, os.PathLike], device: str = "auto"):
        self._detector = _kernels.OpenDetector(os.fspath(checkpoint), device)
        self.classes: List[str] = self._detector.classes

    def __call__(self, image: Array) -> Detections:
        """Finds objects in a picture: [height, width, 3] uint8, red, green, blue; an array or a picture of Pillow."""
        import numpy

        if hasattr(image, "convert"):  # Pillow
            image = numpy.asarray(image.convert("RGB"))
        room = max(1, self._detector.max_detections)
        while True:
            found = Detections(
                numpy.empty((room, 4), numpy.float32), numpy.empty(room, numpy.float32), numpy.empty(room, numpy.int32)
            )
            count = self._detector.detect(image, *found)
            if count <= room:
                return Detections(*(array[:count] for array in found))
            room = count  # a picture that is seen in tiles has more

    def close(self) -> None:
        self._detector.close()

    def __enter__(self) -> "Detector":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
