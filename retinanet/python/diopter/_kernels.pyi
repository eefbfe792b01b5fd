"""The C interface (retinanet/c_api/diopter.h), function by function: outputs are arguments, shapes stand there.

Functions ..._of_host are for arrays of the host and make their outputs; they give None for arrays on a GPU."""

from typing import Any, Callable, List, Optional, Sequence, Tuple

Array = Any
__version__: str

def elementwise_loss(
    loss: str,
    inputs: Array,
    targets: Array,
    scale: float,
    losses: Optional[Array] = None,
    sum: Optional[Array] = None,
    gradient: Optional[Array] = None,
    stream: int = 0,
) -> None: ...
def compiled_loss(
    elements: int,
    parameters: Sequence[float],
    soft: bool,
    inputs: Array,
    targets: Array,
    scale: float,
    losses: Optional[Array] = None,
    sum: Optional[Array] = None,
    gradient: Optional[Array] = None,
    stream: int = 0,
) -> None: ...
def classification_loss(
    loss: str,
    logits: Array,
    labels: Array,
    qualities: Optional[Array],
    scale: Optional[Array],
    losses: Array,
    gradient: Optional[Array] = None,
    stream: int = 0,
) -> None: ...
def box_pair_loss(
    loss: str, epsilon: float, boxes1: Array, boxes2: Array, losses: Array, gradient: Optional[Array] = None, stream: int = 0
) -> None: ...
def box_iou(boxes1: Array, boxes2: Array, ious: Array, stream: int = 0) -> None: ...
def batched_nms(
    boxes: Array, scores: Array, labels: Optional[Array], iou_threshold: float, keep: Array, kept: Array, stream: int = 0
) -> None: ...
def top_k(values: Array, min_value: float, indices: Array, top: Array, counts: Array, stream: int = 0) -> None: ...
def empty(like: Array, shape: Sequence[int], type: str) -> Array: ...
def nms_of_host(
    boxes: Array, scores: Array, idxs: Optional[Array], iou_threshold: float, make: Callable[..., Array]
) -> Optional[Array]: ...
def box_pair_loss_of_host(
    loss: str,
    epsilon: float,
    boxes1: Array,
    boxes2: Array,
    scale: Optional[float],
    of_first: bool,
    of_second: bool,
    make: Callable[..., Array],
) -> Optional[Tuple[Array, Optional[Array], Optional[Array]]]: ...
def coco_metrics(
    image_ids: Array,
    category_ids: Array,
    boxes: Array,
    areas: Optional[Array],
    crowds: Optional[Array],
    images: Optional[Array],
    found_image_ids: Array,
    found_category_ids: Array,
    found_boxes: Array,
    scores: Array,
    numbers: Array,
) -> None: ...

class Grid:
    def __init__(
        self,
        sizes: Sequence[Tuple[int, int]],
        strides: Sequence[Tuple[float, float]],
        boxes: Sequence[Sequence[Sequence[float]]],
        offset: float,
    ) -> None: ...
    def __len__(self) -> int: ...
    def anchors(self, boxes: Array, stream: int = 0) -> None: ...
    def match(
        self,
        boxes: Array,
        box_labels: Array,
        offsets: Array,
        labels: Array,
        matches: Array,
        positives: Array,
        foreground_iou: float,
        background_iou: float,
        low_quality: bool,
        ignore_overlap: float,
        stream: int = 0,
    ) -> None: ...
    def match_of_host(
        self,
        boxes: List[Array],
        labels: List[Array],
        foreground_iou: float,
        background_iou: float,
        low_quality: bool,
        ignore_overlap: float,
        make: Callable[..., Array],
    ) -> Optional[Tuple[Array, Array, Array]]: ...

class OpenDetector:
    def __init__(self, checkpoint: str, device: str) -> None: ...
    @property
    def classes(self) -> List[str]: ...
    @property
    def max_detections(self) -> int: ...
    def detect(self, picture: Array, boxes: Array, scores: Array, labels: Array) -> int: ...
    def close(self) -> None: ...
