"""Assignment of anchors to boxes: torchvision's box_iou and Matcher in float32, and the targets that it encodes."""

import numpy as np
import torch
from torchvision.models.detection._utils import BoxCoder, Matcher
from torchvision.ops import box_iou

import scenes
from anchors import torchvision_anchors
from fixture import Fixture


def match(boxes, anchors, low_quality):
    """int64 [anchors]: index of the box, -1 background, -2 ignored; as RetinaNet.compute_loss assigns them."""
    if len(boxes) == 0:
        return torch.full((len(anchors),), -1, dtype=torch.int64)
    return Matcher(0.5, 0.4, allow_low_quality_matches=low_quality)(box_iou(boxes, anchors))


def make(folder):
    anchors = torch.from_numpy(torchvision_anchors(scenes.HEIGHT, scenes.WIDTH))
    coder = BoxCoder((1.0, 1.0, 1.0, 1.0))
    fixture = Fixture("anchors that are not background, their box (-2: ignored), exactly; encoded targets of the positive ones")
    for scene, array in scenes.all_scenes().items():
        boxes = torch.from_numpy(array)
        fixture.put(f"{scene}.boxes", array)
        for rule, low_quality in [("paper", False), ("low_quality", True)]:
            matched = match(boxes, anchors, low_quality)
            named = torch.where(matched != -1)[0]
            fixture.put(f"{scene}.{rule}.anchors", named.numpy())
            fixture.put(f"{scene}.{rule}.matches", matched[named].numpy())
            in_double = match(boxes.double(), anchors.double(), low_quality)
            fixture.scalars[f"{scene}.{rule}"] = {"differ_in_float64": int((matched != in_double).sum())}
        positive = torch.where(matched >= 0)[0][:200]
        if len(positive):
            of_box = boxes[matched[positive]]
            fixture.put(f"{scene}.encoded.anchors", positive.numpy())
            fixture.put(f"{scene}.encoded.boxes", matched[positive].numpy())
            encoded = coder.encode_single(of_box.double(), anchors[positive].double()).numpy()
            fixture.put(f"{scene}.encoded.targets", encoded)
            fixture.scalars[f"{scene}.encoded"] = {
                "float32_error": float(np.abs(coder.encode_single(of_box, anchors[positive]).numpy() - encoded).max())}
    fixture.write(folder, "matching")
