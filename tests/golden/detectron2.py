"""Detectron2's rules where they differ from torchvision's, written down again with NumPy (its own package needs a build of
its own; the rules were read in its source): sizes of resized pictures, resizing by Pillow, stride in the first 1x1 of a
bottleneck, BGR pixels from 0 to 255, P6 from C5, exact anchors, clipping after NMS. Anchors are in anchors.py, the
normaliser in losses.py."""

import numpy as np
import PIL
import torch
from PIL import Image
from torchvision.ops.feature_pyramid_network import LastLevelP6P7

import formula
import models
from anchors import detectron2_anchors
from fixture import Fixture

HEIGHT, WIDTH, CLASSES = 96, 128, 80
PIXEL_MEAN = [103.53, 116.28, 123.675]
SCORE, TOP_K, NMS_IOU, KEPT = 0.05, 1000, 0.5, 100
STEM_SCALE = 2.0**-6  # of the first convolution, whose input is not normalised to unit variance
CASE = dict(gain=4.0, bias=-9.0, seed=0)
RESIZED = {(24, 32): (40, 53), (90, 131): (41, 60), (30, 30): (47, 47), (71, 23): (52, 17)}  # by Pillow
ORIGINAL = (131, 175)  # height and width of the picture before it was resized


def resized(height, width, size, max_size):
    """ResizeShortestEdge.get_output_shape"""
    scale = size / min(height, width)
    new_height, new_width = (size, scale * width) if height < width else (scale * height, size)
    if max(new_height, new_width) > max_size:
        scale = max_size / max(new_height, new_width)
        new_height, new_width = new_height * scale, new_width * scale
    return int(new_height + 0.5), int(new_width + 0.5)


def build(dtype):
    model = models.build("v1", "resnet50", CLASSES)
    model.backbone.fpn.extra_blocks = LastLevelP6P7(2048, 256)
    for stage in (model.backbone.body.layer2, model.backbone.body.layer3, model.backbone.body.layer4):
        stage[0].conv1.stride, stage[0].conv2.stride = (2, 2), (1, 1)
    models.fill(model, cls_gain=CASE["gain"], cls_bias=CASE["bias"], seed=CASE["seed"])
    with torch.no_grad():
        model.backbone.body.conv1.weight.mul_(STEM_SCALE)
    return model.to(dtype).eval()


def outputs(dtype):
    """Logits and deltas of each level, [N, H, W, cells * values]."""
    model = build(dtype)
    rgb = formula.picture(f"detectron2.{HEIGHT}x{WIDTH}", HEIGHT, WIDTH)
    bgr = torch.from_numpy(rgb[:, :, ::-1].copy()).to(dtype) - torch.tensor(PIXEL_MEAN, dtype=dtype)
    with torch.no_grad():
        features = list(model.backbone(bgr.permute(2, 0, 1)[None]).values())
        head = model.head(features)
    return (models.head_levels(head["cls_logits"], features, CLASSES), models.head_levels(head["bbox_regression"], features, 4))


def decode(anchors, deltas):
    size, centre = anchors[:, 2:] - anchors[:, :2], (anchors[:, :2] + anchors[:, 2:]) / 2
    centre = centre + deltas[:, :2] * size
    size = size * np.exp(np.minimum(deltas[:, 2:], np.log(1000 / 16)))
    return np.concatenate([centre - size / 2, centre + size / 2], axis=1)


def area(boxes):
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def iou(box, boxes):
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    inter = np.prod(np.clip(high - low, 0, None), axis=1)
    return inter / (area(box[None]) + area(boxes) - inter)


def detections(logits, deltas):
    """Boxes in the original picture, scores, labels; and the distances from ties."""
    anchors, margins, candidates = detectron2_anchors(HEIGHT, WIDTH).astype(np.float64), [], []
    start = 0
    for x, d in zip(logits, deltas):
        scores = 1 / (1 + np.exp(-x.reshape(-1)))
        margins.append(np.abs(scores - SCORE).min())
        order = np.argsort(-scores, kind="stable")
        order = order[scores[order] > SCORE]
        if len(order) > TOP_K:
            margins.append(scores[order[TOP_K - 1]] - scores[order[TOP_K]])
        chosen = order[:TOP_K]
        boxes = decode(anchors[start + chosen // CLASSES], d.reshape(-1, 4)[chosen // CLASSES])
        candidates += list(zip(scores[chosen], chosen % CLASSES, boxes))
        start += x.size // CLASSES
    candidates.sort(key=lambda c: -c[0])
    kept, nearest = [], 1.0
    for score, label, box in candidates:
        same = np.array([k[2] for k in kept if k[1] == label]).reshape(-1, 4)
        overlaps = iou(box, same)
        if len(same):
            nearest = min(nearest, np.abs(overlaps - NMS_IOU).min())
        if not (overlaps > NMS_IOU).any():
            kept.append((score, label, box))
        if len(kept) == KEPT + 1:
            break
    scores = np.array([k[0] for k in kept])
    margins.append((scores[:-1] - scores[1:]).min())
    kept = kept[:KEPT]
    scale = np.array([ORIGINAL[1] / WIDTH, ORIGINAL[0] / HEIGHT] * 2)
    boxes = np.clip(np.array([k[2] for k in kept]) * scale, 0, [ORIGINAL[1], ORIGINAL[0]] * 2)
    full = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
    unclipped = np.array([k[2] for k in kept])
    outside = int(((unclipped < 0) | (unclipped > [WIDTH, HEIGHT] * 2)).any(axis=1).sum())
    return boxes[full], scores[: len(kept)][full], np.array([k[1] for k in kept])[full], min(margins), nearest, outside


def make(folder):
    fixture = Fixture("Detectron2's rules")
    shapes = [(h, w) for h in range(120, 1400, 41) for w in (90, 333, 480, 500, 640, 641, 1333)]
    fixture.put("sizes.pictures", np.array(shapes))
    fixture.put("sizes.resized", np.array([resized(h, w, 800, 1333) for h, w in shapes]))

    assert int(PIL.__version__.split(".")[0]) < 13, "Pillow 13 and later resize some pictures in another order"
    for (height, width), (new_height, new_width) in RESIZED.items():
        picture = Image.fromarray(formula.picture(f"pillow.{height}x{width}", height, width))
        fixture.put(f"pillow.{height}x{width}", np.asarray(picture.resize((new_width, new_height), Image.Resampling.BILINEAR)))

    for seed in range(CASE["seed"], CASE["seed"] + 100):
        CASE["seed"] = seed
        logits, deltas = outputs(torch.float64)
        boxes, scores, labels, score, overlap, outside = detections(logits, deltas)
        print(f"detectron2 seed {seed}: {len(labels)} detections, {outside} reach outside, clear by {score:.1e} and {overlap:.1e}")
        if score > 5e-7 and overlap > 1e-5:
            break
    rough = outputs(torch.float32)
    for level in range(5):
        fixture.digest(f"logits.{level}", logits[level], rough[0][level])
        fixture.digest(f"deltas.{level}", deltas[level], rough[1][level])
    fixture.put("boxes", boxes)
    fixture.put("scores", scores)
    fixture.put("labels", labels)
    fixture.scalars |= CASE | {"height": HEIGHT, "width": WIDTH, "original": ORIGINAL, "stem_scale": STEM_SCALE,
                               "reach_outside": outside}
    fixture.write(folder, "detectron2")
