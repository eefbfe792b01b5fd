"""Which anchor belongs to which box."""

from __future__ import annotations

from typing import NamedTuple, Sequence, Tuple

from . import _kernels
from ._arrays import Array, Library, library_of


class Matches(NamedTuple):
    """labels [images, anchors] int32: class, -1 for background, -2 for ignored
    boxes [images, anchors] int32: the box within the image of an anchor with a class, else -1
    positives [images] int32: how many anchors have a class"""

    labels: Array
    boxes: Array
    positives: Array


class AnchorGrid:
    """The anchors of an image: level after level, then by y, x and cell.

    sizes     (height, width) of each level in its pixels
    strides   (down, right) from pixel to pixel of each level, in pixels of the picture
    boxes     of each level, the same number: x1, y1, x2, y2 around the origin
    offset    0: centres on the corner of their pixel (torchvision, Detectron2); 0.5: on its middle
    """

    def __init__(
        self,
        sizes: Sequence[Tuple[int, int]],
        strides: Sequence[Tuple[float, float]],
        boxes: Sequence[Sequence[Sequence[float]]],
        offset: float = 0.0,
    ):
        self._grid = _kernels.Grid(sizes, strides, boxes, offset)

    @classmethod
    def retinanet(cls, image_size: Tuple[int, int], levels: Sequence[int] = (3, 4, 5, 6, 7)) -> "AnchorGrid":
        """That of torchvision's RetinaNet for pictures of (height, width): 3 scales and 3 shapes on levels 3 to 7."""
        height, width = image_size
        sizes = [(-(-height // 2**level), -(-width // 2**level)) for level in levels]
        strides = [(float(height // h), float(width // w)) for h, w in sizes]
        boxes = []
        for level in levels:
            base = 2 ** (level + 2)
            scales = (base, int(base * 2 ** (1 / 3)), int(base * 2 ** (2 / 3)))
            boxes.append(
                [
                    [round(-s / r**0.5 / 2), round(-s * r**0.5 / 2), round(s / r**0.5 / 2), round(s * r**0.5 / 2)]
                    for r in (0.5, 1.0, 2.0)
                    for s in scales
                ]
            )
        return cls(sizes, strides, boxes)

    def __len__(self) -> int:
        return len(self._grid)

    def anchors(self, like: Array) -> Array:
        """Boxes [anchors, 4] float32, of the library and on the device of `like`."""
        library = library_of("like", like)
        boxes = library.empty(like, (len(self._grid), 4), "float32")
        self._grid.anchors(boxes, library.stream(like))
        return library.give(boxes)

    def match(
        self,
        boxes: Sequence[Array],
        labels: Sequence[Array],
        foreground_iou: float = 0.5,
        background_iou: float = 0.4,
        low_quality: bool = False,
        ignore_overlap: float = 0.5,
    ) -> Matches:
        """Assigns the anchors of each image to its boxes.

        boxes            of each image, [n, 4] float32
        labels           of each image, [n] integers: class, or -2 for an ignored region
        foreground_iou   an anchor of at least this IoU with its best box gets that box's class
        background_iou   of less than this one: background; between them: ignored
        low_quality      each box gets its best anchors, however small their IoU
        ignore_overlap   share of a background anchor in an ignored region from which on it is ignored
        """
        if len(boxes) != len(labels) or not boxes:
            raise ValueError(f"boxes, labels: are of {len(boxes)} and {len(labels)} images, must be of as many, and of one at least")
        library = library_of("boxes", boxes[0])
        matched = self._grid.match_of_host(
            list(boxes), list(labels), foreground_iou, background_iou, low_quality, ignore_overlap, library.make
        )
        if matched is None:
            rule = (foreground_iou, background_iou, low_quality, ignore_overlap)
            matched = self._match_on_gpu(library, boxes, labels, rule)
        return Matches._make(matched if library.gives_what_it_makes else map(library.give, matched))

    def _match_on_gpu(
        self, library: Library, boxes: Sequence[Array], labels: Sequence[Array], rule: Tuple[float, float, bool, float]
    ) -> Tuple[Array, Array, Array]:
        like, images, offsets = boxes[0], len(boxes), [0]
        for image, (of_image, classes) in enumerate(zip(boxes, labels)):
            if of_image.shape[:1] != classes.shape[:1]:
                raise ValueError(f"labels[{image}]: has shape {tuple(classes.shape)}, its boxes {tuple(of_image.shape)}")
            offsets.append(offsets[-1] + of_image.shape[0])
        matched = (
            library.empty(like, (images, len(self)), "int32"),
            library.empty(like, (images, len(self)), "int32"),
            library.empty(like, (images,), "int32"),
        )
        self._grid.match(
            library.concatenate(boxes),
            library.integers("labels", library.concatenate(labels), "int32"),
            library.array(like, offsets, "int32"),
            *matched,
            *rule,
            library.stream(like),
        )
        return matched
